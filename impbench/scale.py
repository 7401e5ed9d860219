"""The one place where counts, size factors and log-normalised values turn into each other.

Matrices are cells × genes. Log is log2(1 + x). A size factor is a cell's library size over the
median library size, so that normalised counts keep the scale of a typical cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from numpy.typing import NDArray

Matrix: TypeAlias = "NDArray[Any] | sp.csr_matrix | sp.csr_array"
"""Cells × genes, dense or compressed sparse rows."""

_ENTRIES_AT_ONCE = 2**18


def library_sizes(counts: Matrix) -> NDArray[np.float64]:
    """Return each cell's total count, shape (cells,)."""
    return np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()


def size_factors(library_size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide library sizes by their median.

    Parameters
    ----------
    library_size
        Shape (cells,), total counts.

    Returns
    -------
    Shape (cells,). The median is taken over positive library sizes; a cell with no counts, or a
    size that is not finite, gets 1 so that its zeros stay zeros.
    """
    sizes = np.asarray(library_size, dtype=np.float64)
    usable = np.isfinite(sizes) & (sizes > 0)
    if not usable.any():
        return np.ones_like(sizes)
    factors = np.ones_like(sizes)
    factors[usable] = sizes[usable] / np.median(sizes[usable])
    return factors


def normalise(counts: Matrix, factors: NDArray[np.float64]) -> NDArray[np.float32]:
    """Divide counts by the size factors, without the log; dense float32, (cells, genes)."""
    if sp.issparse(counts):
        values = np.empty(counts.shape, dtype=np.float32)
        for cells in _some_cells(counts):
            values[cells] = counts[cells].toarray()
    else:
        values = np.array(counts, dtype=np.float32)
    values /= np.asarray(factors, dtype=np.float32)[:, None]
    return values


def lognorm(counts: Matrix, factors: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return log2(1 + counts / size factor), dense float32, (cells, genes).

    Negative counts (some methods produce them) are clipped at 0 first.
    """
    if not sp.issparse(counts):
        return _to_logs(normalise(counts, factors))
    stored = sp.csr_matrix(counts)
    values = np.empty(stored.shape, dtype=np.float32)
    for cells in _some_cells(stored):
        sparse_lognorm(_rows(stored, cells), factors[cells]).toarray(out=values[cells])
    return values


def sparse_lognorm(counts: Matrix, factors: NDArray[np.float64]) -> sp.csr_matrix:
    """Return `lognorm` of the stored entries alone: 0 stays 0, and no large matrix is dense.

    What is returned shares nothing with `counts`.
    """
    stored = sp.csr_matrix(counts)
    if not stored.has_canonical_format:
        stored = stored.copy()
        stored.sum_duplicates()
    logs = np.repeat(np.asarray(factors, dtype=np.float32), np.diff(stored.indptr))
    np.divide(stored.data, logs, out=logs, dtype=np.float32, casting="unsafe")
    parts = (_to_logs(logs), stored.indices.copy(), stored.indptr.copy())
    return sp.csr_matrix(parts, stored.shape)


def _rows(counts: sp.csr_matrix, cells: slice) -> sp.csr_matrix:
    """Return some cells of a matrix, without a copy of their entries."""
    bounds = counts.indptr[cells.start : cells.stop + 1]
    entries = slice(bounds[0], bounds[-1])
    parts = (counts.data[entries], counts.indices[entries], bounds - bounds[0])
    return sp.csr_matrix(parts, (len(bounds) - 1, counts.shape[1]))


def _to_logs(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Replace normalised counts by their logs, in place."""
    np.maximum(values, 0, out=values)
    np.log1p(values, out=values)
    values *= np.float32(1 / np.log(2))
    return values


def _some_cells(counts: Matrix) -> Iterator[slice]:
    """Yield ranges of cells: a copy of all that is above 0 would need as much again."""
    step = max(1, _ENTRIES_AT_ONCE // max(1, counts.shape[1]))
    return (slice(start, start + step) for start in range(0, counts.shape[0], step))


def counts_from_lognorm(
    values: NDArray[np.float32], factors: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Invert `lognorm`: (2^x − 1) · size factor, clipped at 0, float32, (cells, genes)."""
    doublings = np.asarray(values, dtype=np.float32)
    counts: NDArray[np.float32] = np.expm1(doublings * np.float32(np.log(2)))
    np.maximum(counts, 0, out=counts)
    counts *= np.asarray(factors, dtype=np.float32)[:, None]
    return counts
