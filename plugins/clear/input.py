"""What CLEAR's network sees: logs, chosen genes, equal totals, each gene standardised.

That is the program's order, with logarithms ahead of the totals: cells are scaled to equal sums of
logs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

FEWEST_CELLS = 3
"""A gene in fewer is not chosen."""

TOTAL, HIGH = 1e4, 0.05
"""Sum of a cell afterwards, without genes that hold more than this share of any cell."""

CEILING = 10.0
"""Of a standardised value."""


@dataclass(frozen=True)
class ClearInput:
    """The network's input.

    Attributes
    ----------
    values
        (cells, chosen) float32.
    genes
        (chosen,) places of the genes, ascending.
    logged
        Whether logarithms were taken.
    """

    values: NDArray[np.float32]
    genes: NDArray[np.intp]
    logged: bool


def prepare_input(counts: Any, log_above: float, choose_above: int) -> ClearInput:
    """Apply the program's five steps, but for its choice of cells.

    Parameters
    ----------
    counts
        (cells, genes), dense or sparse.
    log_above
        Logarithms are taken, and genes chosen, where some count is larger.
    choose_above
        Genes are chosen where there are more.
    """
    matrix = sp.csr_matrix(counts, dtype=np.float64)
    logged = bool(matrix.nnz) and float(matrix.data.max()) > log_above
    if logged:
        matrix = matrix.log1p()
    genes = np.arange(matrix.shape[1])
    if matrix.shape[1] > choose_above:
        genes = np.flatnonzero(np.diff(matrix.tocsc().indptr) >= FEWEST_CELLS)
        if logged and len(genes):
            genes = genes[_variable(matrix[:, genes])]
    values = _to_equal_totals(matrix[:, genes].toarray())
    values -= values.mean(axis=0)
    sd = values.std(axis=0, ddof=1)
    sd[sd == 0] = 1
    values /= sd
    np.minimum(values, CEILING, out=values)
    return ClearInput(values.astype(np.float32), genes, logged)


def _variable(logs: sp.csr_matrix) -> NDArray[np.intp]:
    """Choose genes by mean and normalised dispersion, within the program's bounds."""
    import anndata
    import scanpy

    table = scanpy.pp.highly_variable_genes(
        anndata.AnnData(logs.astype(np.float32)),
        flavor="seurat",
        min_mean=0.0125,
        max_mean=3,
        min_disp=0.5,
        inplace=False,
    )
    return np.flatnonzero(table["highly_variable"].to_numpy())


def _to_equal_totals(values: NDArray[np.float64]) -> NDArray[np.float64]:
    totals = values.sum(axis=1, keepdims=True)
    ordinary = ~(values > HIGH * totals).any(axis=0)
    totals = values[:, ordinary].sum(axis=1, keepdims=True)
    totals[totals == 0] = 1
    return values * (TOTAL / totals)
