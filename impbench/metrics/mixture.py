"""How near cells that are known mixtures come to the mixture of what is in them.

Arguments are (cells, genes) on the log2(1 + x) scale: what was found, and what is expected. The
contrast of an entry is its difference from its gene's mean over the cells.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench.metrics.blocks import cell_blocks
from impbench.metrics.cells import CellSums, of_cells, stacked
from impbench.metrics.metric import loss

Values = NDArray[np.floating[Any]]
Genes = NDArray[np.bool_]


def _contrast_squares(mixture_found: Values, mixture_true: Values) -> CellSums:
    found_mean = mixture_found.mean(axis=0, dtype=np.float64)
    true_mean = mixture_true.mean(axis=0, dtype=np.float64)
    sums = []
    for found, true in cell_blocks(mixture_found, mixture_true):
        contrast = true - true_mean
        sums.append(
            (
                np.square(found - found_mean - contrast).sum(axis=1),
                np.square(contrast).sum(axis=1),
            )
        )
    return stacked(sums)


def _squares(mixture_found: Values, mixture_true: Values) -> CellSums:
    return stacked(
        (np.square(found - true).sum(axis=1), np.full(len(true), float(true.shape[1])))
        for found, true in cell_blocks(mixture_found, mixture_true)
    )


@loss(
    title="Mixture error",
    meaning=(
        "How far differences between cells are from what their known mixtures say: 0 exact, 1 as "
        "if all cells were alike, more if noise drowns them."
    ),
    reference="Σ((x − x̄) − (m − m̄))² / Σ(m − m̄)², log2 scale, means over cells",
    per_cell=_contrast_squares,
)
def mixture_error(mixture_found: Values, mixture_true: Values) -> float:
    """Squared error of the contrasts between cells, over the squared size of the true ones.

    All cells alike score exactly 1, whatever the level; so do contrasts of twice the true size.
    """
    return of_cells(_contrast_squares(mixture_found, mixture_true))


@loss(
    title="Mixture MSE",
    meaning=(
        "How far values are from what the cells' known mixtures say, the level of each gene "
        "included (squared error, log2)."
    ),
    unit="log2²",
    reference="Σ(x − m)² / (N G), log2 scale, m the mixture of the pure profiles",
    per_cell=_squares,
)
def mixture_mse(mixture_found: Values, mixture_true: Values) -> float:
    """Mean squared error against the expectation."""
    return of_cells(_squares(mixture_found, mixture_true))


@loss(
    title="Slope error",
    meaning=(
        "Whether differences between cells are as large as they should be, on average over genes: "
        "0 exact, 0.5 half lost or half too much."
    ),
    reference="mean |1 − b| over genes, b the slope of imputed on expected contrasts, log2 scale",
)
def mixture_slope_error(mixture_found: Values, mixture_true: Values, telling_genes: Genes) -> float:
    """Mean distance of the genes' slopes from 1; noise that averages out over cells is forgiven."""
    return _mean(np.abs(1 - slopes(mixture_found, mixture_true)[telling_genes]))


@loss(
    title="Flattening",
    meaning="How much of the differences between cells is smoothed away, on average over genes.",
    reference="mean max(0, 1 − b) over genes, b as in mixture-slope-error",
    bound="none",
)
def mixture_flattening(mixture_found: Values, mixture_true: Values, telling_genes: Genes) -> float:
    """Mean shortfall of the slopes; with `mixture_sharpening` it adds up to the slope error."""
    return _mean(np.maximum(0, 1 - slopes(mixture_found, mixture_true)[telling_genes]))


@loss(
    title="Sharpening",
    meaning="By how much differences between cells are exaggerated, on average over genes.",
    reference="mean max(0, b − 1) over genes, b as in mixture-slope-error",
    bound="none",
)
def mixture_sharpening(mixture_found: Values, mixture_true: Values, telling_genes: Genes) -> float:
    """Mean excess of the slopes."""
    return _mean(np.maximum(0, slopes(mixture_found, mixture_true)[telling_genes] - 1))


def slopes(found: Values, true: Values) -> NDArray[np.float64]:
    """Return each gene's least-squares slope of found on true over the cells, (genes,).

    NaN for a gene whose expectation is the same in every cell.
    """
    true_mean = true.mean(axis=0, dtype=np.float64)
    products, squares = np.zeros((2, true.shape[1]))
    for x, m in cell_blocks(found, true):
        contrast = m - true_mean
        products += np.einsum("ij,ij->j", x, contrast)
        squares += np.einsum("ij,ij->j", contrast, contrast)
    return np.divide(products, squares, out=np.full_like(products, np.nan), where=squares > 0)


def _mean(values: NDArray[np.float64]) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else math.nan
