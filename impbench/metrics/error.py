"""Squared error against the truth: over all entries, and over each kind of entry apart.

All arguments are (cells, genes) on the log2(1 + x) scale; sums are float64, in blocks of cells. A
score over no entries at all is NaN.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench.metrics.blocks import cell_blocks
from impbench.metrics.cells import CellSums, of_cells, stacked
from impbench.metrics.metric import loss

Values = NDArray[np.floating[Any]]


def _squares(imputed: Values, truth: Values) -> CellSums:
    return _sums((_less(x, true), None) for x, true in cell_blocks(imputed, truth))


def _biozero_squares(imputed: Values, truth: Values) -> CellSums:
    return _sums((_less(x, true), true == 0) for x, true in cell_blocks(imputed, truth))


def _dropout_squares(imputed: Values, truth: Values, observed: Values) -> CellSums:
    return _sums(
        (_less(x, true), (seen == 0) & (true > 0))
        for x, true, seen in cell_blocks(imputed, truth, observed)
    )


def _nonzero_squares(imputed: Values, truth: Values, observed: Values) -> CellSums:
    return _sums(
        (_less(x, true), seen > 0) for x, true, seen in cell_blocks(imputed, truth, observed)
    )


def _less(block: NDArray[np.float64], true: NDArray[np.float64]) -> NDArray[np.float64]:
    """Subtract in place, as a block is a copy of ours."""
    block -= true
    return block


def _sums(errors: Iterable[tuple[NDArray[np.float64], NDArray[np.bool_] | None]]) -> CellSums:
    """Return, per cell, the squared errors and the number of entries that count (None: all)."""

    def block_sums(
        block: NDArray[np.float64], counts: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if counts is None:
            entries = np.full(len(block), float(block.shape[1]))
        else:
            # Several times faster than taking the entries out, and than counting booleans.
            block *= counts
            entries = counts.view(np.uint8).sum(axis=1, dtype=np.uint32).astype(np.float64)
        return np.einsum("ij,ij->i", block, block), entries

    return stacked(block_sums(block, counts) for block, counts in errors)


@loss(
    title="MSE",
    meaning=(
        "How far imputed values are from the true ones, all genes and cells together (squared "
        "error, log2)."
    ),
    unit="log2²",
    reference="MaskClass, section 2.8 (i)",
    bound="attainable",
    per_cell=_squares,
)
def mse(imputed: Values, truth: Values) -> float:
    """Mean squared error over all entries."""
    return of_cells(_squares(imputed, truth))


@loss(
    title="Biozero MSE",
    meaning="How much is filled in where a gene truly is off (squared error, log2).",
    unit="log2²",
    reference="MaskClass, section 2.8 (i): entries with x* = 0",
    per_cell=_biozero_squares,
)
def biozero_mse(imputed: Values, truth: Values) -> float:
    """Mean squared error over biozeros: entries whose truth is zero."""
    return of_cells(_biozero_squares(imputed, truth))


@loss(
    title="Dropout MSE",
    meaning=(
        "How far values are from the truth where a gene is on but was counted as zero (squared "
        "error, log2)."
    ),
    unit="log2²",
    reference="MaskClass, section 2.8 (i): entries with x = 0 and x* > 0",
    per_cell=_dropout_squares,
)
def dropout_mse(imputed: Values, truth: Values, observed: Values) -> float:
    """Mean squared error over dropouts: entries observed as zero whose truth is above zero."""
    return of_cells(_dropout_squares(imputed, truth, observed))


@loss(
    title="Non-zero MSE",
    meaning="How far values are from the truth where something was counted (squared error, log2).",
    unit="log2²",
    reference="MSE as in MaskClass, section 2.8 (i), over entries with x > 0",
    per_cell=_nonzero_squares,
)
def nonzero_mse(imputed: Values, truth: Values, observed: Values) -> float:
    """Mean squared error over entries observed above zero: what a method does to seen values."""
    return of_cells(_nonzero_squares(imputed, truth, observed))
