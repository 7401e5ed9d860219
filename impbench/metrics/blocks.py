"""Walk a matrix in blocks of cells, so that float64 sums over it need little memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from impbench import large
from impbench.scale import Matrix

BLOCK = 2**17
"""Entries per block: 1 MiB of float64, which a processor's cache holds."""


def cell_blocks(
    *matrices: Matrix, entries: int = BLOCK
) -> Iterator[tuple[NDArray[np.float64], ...]]:
    """Yield the same rows of every matrix as float64, some rows at a time, in order.

    Parameters
    ----------
    matrices
        (cells, genes) each, of one shape and any real dtype, dense or compressed sparse rows.
    entries
        Of each matrix at a time; sums over cells depend on it, as each block is added up by itself.

    Yields
    ------
    One (some cells, genes) float64 array per matrix; `entries` or one cell, if that is more.
    """
    n_cells, n_genes = matrices[0].shape
    step = max(1, entries // max(1, n_genes))
    for start in range(0, n_cells, step):
        rows = slice(start, start + step)
        yield tuple(_float64(matrix[rows]) for matrix in matrices)
        large.release(*matrices, rows=rows)


def centred_products(matrix: Matrix, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums over cells of the products of every two genes, each less its `mean`.

    BLAS adds each block to the sums in place: to add two arrays of genes × genes takes three times
    as long at 2 000 genes, with the same bits for blocks of up to 384 cells.

    Parameters
    ----------
    matrix, mean
        (cells, genes) and (genes,).

    Returns
    -------
    (genes, genes), on and below the diagonal; 0 above it.
    """
    from scipy.linalg.blas import dsyrk

    products = np.zeros((len(mean), len(mean)), order="F")
    for (block,) in cell_blocks(matrix):
        block -= mean
        products = dsyrk(1.0, block.T, beta=1.0, c=products, lower=1, overwrite_c=1)
    return products


def _float64(rows: Matrix) -> NDArray[np.float64]:
    values: NDArray[Any] = rows.toarray() if sp.issparse(rows) else rows
    return values.astype(np.float64)
