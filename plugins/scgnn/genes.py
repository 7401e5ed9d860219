"""What scGNN's networks see: ln(1 + count) of the genes whose raw counts vary most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from impbench import Observed

_SHARE = 0.01
"""Genes must be found in this share of the cells, and cells hold this share of those genes."""


@dataclass(frozen=True)
class SeenCounts:
    """The input of the network.

    Attributes
    ----------
    values
        (chosen cells, chosen genes) float32, ln(1 + count); no library size enters.
    cells, genes
        Places of what is chosen; genes by ascending variance, which is the program's order.
    """

    values: NDArray[np.float32]
    cells: NDArray[np.int64]
    genes: NDArray[np.int64]


def choose(observed: Observed, n_genes: int) -> SeenCounts:
    """Filter genes, then cells, and keep the `n_genes` genes of largest variance of the counts."""
    counts = sp.csr_matrix(observed.counts).astype(np.float64)
    found = counts > 0
    genes = np.flatnonzero(_sums(found, 0) >= _SHARE * observed.n_cells)
    cells = np.flatnonzero(_sums(found[:, genes], 1) >= max(_SHARE * len(genes), 1))
    counts = counts[cells][:, genes]
    n = max(len(cells), 1)
    variance = _sums(counts.multiply(counts), 0) / n - np.square(_sums(counts, 0) / n)
    most = np.argsort(variance, kind="stable")[-n_genes:]
    return SeenCounts(np.log1p(counts[:, most].toarray()).astype(np.float32), cells, genes[most])


def _sums(matrix: sp.csr_matrix, axis: int) -> NDArray[np.float64]:
    return np.asarray(matrix.sum(axis=axis), dtype=np.float64).ravel()
