"""A matrix on disk or in memory, of which as much is read as a look at it needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from impbench.errors import InputError

LIMIT = 3_000_000
"""Values read of a matrix stored by cell."""

LIMIT_BY_GENE = 12_000_000
"""Values read of one stored by gene: a part of it would hold no whole cell."""

RUNS = 12
"""Places of the matrix that a part of it is read from."""


@dataclass(frozen=True)
class Stored:
    """A matrix as it lies."""

    name: str
    """As `--layer` knows it: ``X``, ``raw.X`` or the name of a layer."""
    place: str
    """As messages call it: ``X``, ``raw.X`` or ``layers['counts']``."""
    parts: tuple[Any, ...]
    """The array of a dense matrix; data, indices and indptr of a sparse one. Anything that can
    be sliced: NumPy's or h5py's."""
    rows: int
    """As stored."""
    columns: int
    """As stored."""
    by_column: bool = False
    """A sparse matrix is stored by column (CSC)."""
    flipped: bool = False
    """Rows are genes."""

    @property
    def is_dense(self) -> bool:
        """Whether zeros are stored."""
        return len(self.parts) == 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        dtype: np.dtype[Any] = np.dtype(self.parts[0].dtype)
        return dtype

    @property
    def by_cell(self) -> bool:
        """Whether the values of a cell lie together."""
        return self.by_column == self.flipped

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return self.columns if self.flipped else self.rows

    @property
    def n_genes(self) -> int:
        """Number of genes."""
        return self.rows if self.flipped else self.columns

    @property
    def n_values(self) -> int:
        """Number of values stored."""
        return self.rows * self.columns if self.is_dense else int(self.parts[0].shape[0])

    def flip(self) -> Stored:
        """Return the matrix with rows and columns taken for each other."""
        return replace(self, flipped=not self.flipped)


@dataclass(frozen=True)
class Portion:
    """What was read."""

    values: sp.csr_matrix | sp.csc_matrix
    """Cells × genes, of the type and in the order they are stored in (CSC if by gene: turning
    ten million values round takes longer than reading them); zeros are not stored."""
    whole_cells: bool
    """All genes of its cells are there."""
    complete: bool
    """It is all of the matrix."""
    zeros: float
    """Share of zeros in all of the matrix."""


def read_portion(stored: Stored) -> Portion:
    """Read all of a small matrix, and of a large one whole cells (or genes) from all over it.

    Raises
    ------
    InputError
        If the matrix is no sound one.
    """
    n_major = stored.columns if stored.by_column else stored.rows
    limit = LIMIT if stored.by_cell else LIMIT_BY_GENE
    complete = stored.n_values <= limit
    share = 1.0 if complete else LIMIT / stored.n_values
    blocks = [_read(stored, run) for run in _runs(n_major, share, _chunk(stored))]
    rows = blocks[0] if len(blocks) == 1 else sp.csr_matrix(sp.vstack(blocks, format="csr"))
    # Rows as stored; the transpose is the same arrays read as columns.
    values = rows if stored.by_cell else sp.csc_matrix(rows.T)
    read = values.nnz
    values.eliminate_zeros()
    if stored.is_dense:
        filled = values.nnz / max(1, values.shape[0] * values.shape[1])
    else:
        # How many values are stored is known of all of it.
        filled = stored.n_values / max(1, stored.rows * stored.columns)
        filled *= values.nnz / max(1, read)
    return Portion(values, complete or stored.by_cell, complete, 1 - filled)


HEAD = 1_000_000
"""Values read of the head of a matrix."""


def read_head(stored: Stored) -> sp.csr_matrix:
    """Return the first cells (or genes, where stored by gene); errors as `read_portion`.

    Returns
    -------
    (cells, genes), of which one side is shorter than the matrix's unless all of it fits.
    """
    n_major = stored.columns if stored.by_column else stored.rows
    average = max(1, stored.n_values // max(1, n_major))
    rows = _read(stored, slice(0, max(1, min(n_major, HEAD // average))))
    return rows if stored.by_cell else sp.csr_matrix(rows.T)


def _chunk(stored: Stored) -> int:
    """Rows of a dense matrix that are compressed together."""
    chunks = getattr(stored.parts[0], "chunks", None)
    return int(chunks[0]) if stored.is_dense and chunks else 1


def _runs(number: int, share: float, chunk: int) -> Iterator[slice]:
    if share == 1.0:
        yield slice(0, number)
        return
    wanted = max(2, int(number * share))
    runs = max(1, min(RUNS, wanted // chunk))
    length = max(1, wanted // runs)
    for start in np.linspace(0, number - length, runs).astype(int):
        start = int(start) // chunk * chunk
        yield slice(start, start + length)


def _read(stored: Stored, run: slice) -> sp.csr_matrix:
    if stored.is_dense:
        return sp.csr_matrix(_supported(stored.parts[0][run]))
    data, indices, indptr = stored.parts
    n_minor = stored.rows if stored.by_column else stored.columns
    bounds = np.asarray(indptr[run.start : run.stop + 1]).astype(np.int64)
    first, last = int(bounds[0]), int(bounds[-1])
    inner = np.asarray(indices[first:last])
    if not _sound(bounds, inner, n_minor, stored.n_values):
        raise InputError(f"{stored.place} is no sound sparse matrix; the file is damaged")
    values = _supported(data[first:last])
    return sp.csr_matrix((values, inner, bounds - first), shape=(len(bounds) - 1, n_minor))


def _supported(stored: Any) -> NDArray[Any]:
    """Values of a type that SciPy's sparse matrices know."""
    values: NDArray[Any] = np.asarray(stored)
    return values.astype(np.float32) if values.dtype in (np.float16, np.bool_) else values


def _sound(bounds: NDArray[np.int64], inner: NDArray[Any], n_minor: int, n_values: int) -> bool:
    """Whether compiled code would stay inside the matrix."""
    if bounds[0] < 0 or bounds[-1] > n_values or (np.diff(bounds) < 0).any():
        return False
    if len(inner) != bounds[-1] - bounds[0] or inner.dtype.kind not in "iu":
        return False
    return not len(inner) or (int(inner.min()) >= 0 and int(inner.max()) < n_minor)


Storage = Literal["dense", "sparse by cell", "sparse by gene"]


def storage(stored: Stored) -> Storage:
    """Say how the values lie."""
    if stored.is_dense:
        return "dense"
    return "sparse by cell" if stored.by_cell else "sparse by gene"
