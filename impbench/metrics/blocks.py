"""Walk a matrix in blocks of cells, so that float64 sums over it need little memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 2**20
"""Entries per block: 8 MiB of float64."""


def cell_blocks(*matrices: NDArray[Any]) -> Iterator[tuple[NDArray[np.float64], ...]]:
    """Yield the same rows of every matrix as float64, some rows at a time, in order.

    Parameters
    ----------
    matrices
        (cells, genes) each, of one shape and any real dtype.

    Yields
    ------
    One (some cells, genes) float64 array per matrix; `BLOCK` entries or one cell, if that is more.
    """
    n_cells, n_genes = matrices[0].shape
    step = max(1, BLOCK // max(1, n_genes))
    for start in range(0, n_cells, step):
        yield tuple(matrix[start : start + step].astype(np.float64) for matrix in matrices)
