"""The one place where counts, size factors and log-normalised values turn into each other.

Matrices are cells × genes. Log is log2(1 + x). A size factor is a cell's library size over the
median library size, so that normalised counts keep the scale of a typical cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from impbench import large

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

Matrix: TypeAlias = "NDArray[Any] | sp.csr_matrix | sp.csr_array"
"""Cells × genes, dense or compressed sparse rows."""


def library_sizes(counts: Matrix) -> NDArray[np.float64]:
    """Return each cell's total count, shape (cells,)."""
    if sp.issparse(counts):
        return np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    sizes = np.empty(len(counts))
    for cells in large.some_rows(counts):
        sizes[cells] = counts[cells].sum(axis=1)
    return sizes


def some_cells(counts: Matrix, cells: NDArray[np.intp]) -> Matrix:
    """Return the rows at these places; where they are all in order, `counts` itself, no copy."""
    if np.array_equal(cells, np.arange(counts.shape[0])):
        return counts
    return counts[cells]


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
    values = large.empty(counts.shape)
    divisors = np.asarray(factors, dtype=np.float32)[:, None]
    for cells in large.some_rows(values, counts):
        values[cells] = counts[cells].toarray() if sp.issparse(counts) else counts[cells]
        values[cells] /= divisors[cells]
    return values


def lognorm(counts: Matrix, factors: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return log2(1 + counts / size factor), dense float32, (cells, genes).

    Negative counts (some methods produce them) are clipped at 0 first.
    """
    values = large.empty(counts.shape)
    stored = sp.csr_matrix(counts) if sp.issparse(counts) else None
    for cells in large.some_rows(values, counts):
        if stored is None:
            values[cells] = _to_logs(normalise(counts[cells], factors[cells]))
        else:
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


def counts_from_lognorm(
    values: NDArray[np.float32], factors: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Invert `lognorm`: (2^x − 1) · size factor, clipped at 0, float32, (cells, genes)."""
    counts = large.like(values, np.float32)
    multiples = np.asarray(factors, dtype=np.float32)[:, None]
    for cells in large.some_rows(counts, values):
        doublings = np.asarray(values[cells], dtype=np.float32)
        np.expm1(doublings * np.float32(np.log(2)), out=counts[cells])
        np.maximum(counts[cells], 0, out=counts[cells])
        counts[cells] *= multiples[cells]
    return counts
