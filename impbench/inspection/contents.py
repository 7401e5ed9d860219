"""What lies in a file, by name and shape: its matrices, and the tables of cells and genes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from impbench.data.formats import check_if_hdf5, open_noted
from impbench.data.names import (
    CELL_COLUMNS,
    GENE_COLUMNS,
    check_orientation,
    is_numbered,
    naming_column,
)
from impbench.data.tenx_h5 import EXPRESSION, is_10x, names_in
from impbench.errors import InputError
from impbench.inspection.stored import Stored
from impbench.inspection.table import read_table

if TYPE_CHECKING:
    from anndata import AnnData


@dataclass(frozen=True)
class Contents:
    """What there is."""

    kind: str
    """What wrote it."""
    matrices: tuple[Stored, ...]
    """X first, then raw.X, then the layers; cells × genes, whichever way they lie."""
    cells: pd.DataFrame
    """A row per cell."""
    genes: pd.DataFrame
    """A row per gene of X and the layers."""
    raw_genes: pd.DataFrame | None = None
    """A row per gene of raw.X, or None."""
    transposed: str | None = None
    """Why the file is taken for genes × cells, or None."""
    notes: tuple[str, ...] = ()
    """What was said while it was read."""

    def turned(self) -> Contents:
        """Return the same with cells and genes taken for each other, which leaves raw.X out."""
        flipped = tuple(matrix.flip() for matrix in self.matrices if matrix.name != "raw.X")
        return replace(self, matrices=flipped, cells=self.genes, genes=self.cells)


@contextmanager
def open_contents(path: Path) -> Iterator[Contents]:
    """Yield what a file holds; its matrices can be read inside the block.

    An h5ad file and a 10x file of genes alone stay on disk. Any other is read whole, as
    `impbench run --data` does.

    Raises
    ------
    InputError, UnavailableError
        As `impbench.data.formats.open_noted`.
    """
    import h5py

    if path.is_file() and check_if_hdf5(path):
        with h5py.File(path, "r") as file:
            if {"obs", "var"} <= {*file} and "mod" not in file:
                yield _settled(_of_h5ad(file, path))
                return
            if is_10x(file) and (contents := _of_10x(file)):
                yield _settled(contents)
                return
    data, notes = open_noted(path)
    contents = of_anndata(data, "a folder" if path.is_dir() else path.suffix.lstrip("."))
    yield replace(contents, notes=(*notes, *contents.notes))


def of_anndata(data: AnnData, kind: str = "AnnData") -> Contents:
    """Return what an AnnData in memory holds."""
    matrices = [] if data.X is None else [_in_memory("X", "X", data.X)]
    if data.raw is not None:
        matrices.append(_in_memory("raw.X", "raw.X", data.raw.X))
    matrices += [
        _in_memory(str(key), f"layers[{key!r}]", matrix) for key, matrix in data.layers.items()
    ]
    raw_genes = None if data.raw is None else data.raw.var
    return _settled(Contents(kind, tuple(matrices), data.obs, data.var, raw_genes))


def _in_memory(name: str, place: str, matrix: Any) -> Stored:
    rows, columns = matrix.shape
    if not hasattr(matrix, "tocsr"):
        return Stored(name, place, (np.asarray(matrix),), rows, columns)
    by_column = matrix.format == "csc"
    sparse = matrix if by_column else matrix.tocsr()
    parts = (sparse.data, sparse.indices, sparse.indptr)
    return Stored(name, place, parts, rows, columns, by_column)


def _of_h5ad(file: Any, path: Path) -> Contents:
    notes: list[str] = []
    found = {"X": file.get("X"), "raw.X": file.get("raw/X", file.get("raw.X"))}
    matrices = [_on_disk(name, name, item, notes) for name, item in found.items()]
    for name, item in file.get("layers", {}).items():
        matrices.append(_on_disk(name, f"layers[{name!r}]", item, notes))
    held = [matrix for matrix in matrices if matrix is not None]
    beside = [matrix for matrix in held if matrix.name != "raw.X"]
    if not held:
        raise InputError(f"{path} holds no matrix that can be read: neither X nor a layer")
    first = (beside or held)[0]
    raw = next((matrix for matrix in held if matrix.name == "raw.X"), None)
    raw_var = file.get("raw/var", file.get("raw.var"))
    version = file.attrs.get("encoding-version", "")
    return Contents(
        kind=f"AnnData {version}".strip(),
        matrices=tuple(held),
        cells=read_table(file["obs"], first.rows),
        genes=read_table(file["var"], first.columns),
        raw_genes=None if raw is None else read_table(raw_var, raw.columns),
        notes=tuple(notes),
    )


def _of_10x(file: Any) -> Contents | None:
    """None where only the reader knows what to take: several genomes, or features beside genes."""
    held = [group for group in file.values() if hasattr(group, "keys") and "indptr" in group]
    if len(held) != 1:
        return None
    group = held[0]
    cells, ids, symbols, kinds = names_in(group)
    if {*kinds} - {EXPRESSION}:
        return None
    names = symbols if len({*symbols}) == len(symbols) else ids
    parts = (group["data"], group["indices"], group["indptr"])
    # Columns of genes × cells are rows of cells × genes.
    matrix = Stored("X", "X", parts, len(cells), len(names))
    if len(parts[2]) != matrix.rows + 1:
        return None
    return Contents(
        kind="10x HDF5",
        matrices=(matrix,),
        cells=pd.DataFrame(index=pd.Index(cells)),
        genes=pd.DataFrame(index=pd.Index(names)),
    )


def _on_disk(name: str, place: str, item: Any, notes: list[str]) -> Stored | None:
    import h5py

    if item is None:
        return None
    if isinstance(item, h5py.Dataset):
        if item.ndim == 2 and item.dtype.kind in "iufb":
            return Stored(name, place, (item,), int(item.shape[0]), int(item.shape[1]))
    elif {"data", "indices", "indptr"} <= {*item}:
        shape = item.attrs.get("shape", item.attrs.get("h5sparse_shape"))
        format_ = item.attrs.get("encoding-type", item.attrs.get("h5sparse_format", "csr"))
        if shape is not None and len(shape) == 2:
            parts = (item["data"], item["indices"], item["indptr"])
            by_column = str(format_).startswith("csc")
            rows, columns = map(int, shape)
            if len(parts[2]) == (columns if by_column else rows) + 1:
                return Stored(name, place, parts, rows, columns, by_column)
    notes.append(f"{place} is no matrix of numbers that impbench knows how to read")
    return None


def _settled(contents: Contents) -> Contents:
    """Find lost names, and which side the cells are on."""
    notes = list(contents.notes)
    cells = _named(contents.cells, CELL_COLUMNS, "cells", notes)
    genes = _named(contents.genes, GENE_COLUMNS, "genes", notes)
    named = replace(contents, cells=cells, genes=genes, notes=tuple(notes))
    try:
        check_orientation([*cells.index], [*genes.index], "the file")
    except InputError as error:
        sign = str(error).split(": ", 1)[-1].split("; impbench needs")[0]
        return replace(named.turned(), raw_genes=None, transposed=sign)
    return named


def _named(
    frame: pd.DataFrame, columns: tuple[str, ...], what: str, notes: list[str]
) -> pd.DataFrame:
    if not is_numbered(frame.index):
        return frame
    column = naming_column(frame, columns)
    if column is None:
        notes.append(f"no {what} are named; they are called 0, 1, 2, …")
        return frame
    notes.append(f"{what} are named by the column {column!r}, since the file calls them 0, 1, 2")
    return frame.set_index(pd.Index(frame[column].astype(str)))
