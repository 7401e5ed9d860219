"""A dataset as the protocols see it, and where datasets come from."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from impbench import large, scale
from impbench.parameters import Parametrised
from impbench.scale import Matrix

if TYPE_CHECKING:
    import pandas as pd


def _no_facts() -> pd.DataFrame:
    """Return a table without columns; who only scores need not load pandas."""
    import pandas as pd

    return pd.DataFrame()


@dataclass(frozen=True)
class Dataset:
    """Counts with everything known about them, ready to be made into problems."""

    name: str
    """As it appears in results, such as ``sim_rare[n_cells=500]``."""
    counts: Matrix
    """(cells, genes) observed counts, CSR or dense, non-negative."""
    gene_names: tuple[str, ...]
    """Unique, as the next."""
    cell_names: tuple[str, ...]
    """Unique."""
    library_size: NDArray[np.float64]
    """(cells,) float64, total counts over *all* genes of the cell, which may be more genes than
    `counts` holds; size factors come from it."""
    labels: NDArray[np.str_] | None = None
    """(cells,) cell types as strings, or None."""
    batch: NDArray[np.str_] | None = None
    """(cells,) batch names, or None."""
    true_counts: Matrix | None = None
    """(cells, genes) counts before dropout, or None for real data."""
    genes: pd.DataFrame = field(default_factory=_no_facts)
    """Facts per gene (index: `gene_names`), such as simulated means and DE factors, or what
    `impbench.data.facts` reads: bulk expression per cell type, Gini coefficients."""
    cells: pd.DataFrame = field(default_factory=_no_facts)
    """Facts per cell (index: `cell_names`) that no imputer sees, which
    `impbench.data.facts` reads: proportions of a known mixture, and which cells are
    technical replicates."""
    steps: tuple[str, ...] = ()
    """What was done to the data, in order, as sentences."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """JSON-ready facts: source, citation, parameters, how sure the labels are."""
    counts_are_raw: bool = True
    """False where the values are normalised already and only treated as counts."""

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return int(self.counts.shape[0])

    @property
    def n_genes(self) -> int:
        """Number of genes."""
        return int(self.counts.shape[1])

    @property
    def n_groups(self) -> int | None:
        """Number of distinct labels, or None without labels."""
        return None if self.labels is None else len(np.unique(self.labels))

    @property
    def size_factors(self) -> NDArray[np.float64]:
        """Library size over median library size, (cells,)."""
        return scale.size_factors(self.library_size)

    @property
    def true_library_size(self) -> NDArray[np.float64] | None:
        """(cells,) total true counts, or None without truth."""
        return None if self.true_counts is None else scale.library_sizes(self.true_counts)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over everything that can change a result, as 16 hexadecimal digits."""
        digest = hashlib.sha256()
        parts = (self.counts, self.true_counts, self.library_size, self.labels, self.batch)
        for array in parts:
            _update(digest, array)
        digest.update("\0".join(self.gene_names).encode())
        # Simulated facts about genes follow from the counts' parameters; measured ones do not.
        for column in self.genes.columns:
            if str(column).startswith(("bulk_", "reference_")):
                digest.update(str(column).encode())
                _update(digest, self.genes[column].to_numpy(dtype=np.float64))
        for column in self.cells.columns:
            digest.update(f"cells {column}".encode())
            _update(digest, self.cells[column].to_numpy(dtype=np.float64))
        return digest.hexdigest()[:16]

    def of_cells(self, cells: NDArray[np.intp]) -> Dataset:
        """Return the dataset of the cells with these numbers, in that order; steps as they are."""
        return replace(
            self,
            counts=scale.some_cells(self.counts, cells),
            true_counts=(
                None if self.true_counts is None else scale.some_cells(self.true_counts, cells)
            ),
            cell_names=tuple(self.cell_names[i] for i in cells),
            library_size=self.library_size[cells],
            labels=None if self.labels is None else self.labels[cells],
            batch=None if self.batch is None else self.batch[cells],
            cells=self.cells.iloc[cells] if len(self.cells) else self.cells,
        )


@dataclass(frozen=True)
class Source(Parametrised):
    """Somewhere a dataset comes from; subclass it as a frozen dataclass, parameters as fields."""

    name: ClassVar[str]
    summary: ClassVar[str]
    own: ClassVar[Literal["", "file", "memory"]] = ""
    """Where a user's own data are, which a run is then about; empty for data known by name."""

    @abstractmethod
    def load(self) -> Dataset:
        """Return the dataset, with `name` set to ``self.spec``.

        Raises
        ------
        UnavailableError
            If the data are not here and cannot be fetched; says which file to put where.
        InputError
            If the data are not what they should be.
        """

    def files(self) -> tuple[Path, ...]:
        """Return the files and folders that `load` reads, which no method may."""
        return ()


def _update(digest: Any, array: Any) -> None:
    if array is None:
        digest.update(b"none")
        return
    is_sparse = sp.issparse(array)
    array = array if is_sparse else np.asarray(array)
    digest.update(str(array.shape).encode())
    if array.dtype.kind in "OU":
        digest.update("\0".join(map(str, array.ravel())).encode())
        return
    for rows in large.some_rows(array):
        # The same matrix must hash the same whether it was stored dense or sparse.
        block = array[rows].toarray() if is_sparse else array[rows]
        digest.update(np.ascontiguousarray(block, dtype=np.float32))
