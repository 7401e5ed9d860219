"""A matrix.mtx with the files that name its cells and genes, as 10x, STARsolo and GEO keep them.

Everything is looked over before compiled code makes the room that the matrix asks for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import scipy.sparse as sp

from impbench.data.tenx_h5 import with_genes
from impbench.data.text import fields, open_unpacked, read_text
from impbench.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData

SHORTEST_ENTRY = 4
"""Bytes of ``1 1`` and the end of its line."""

PACKED = 1032
"""No gzip file shrinks further than by this factor."""

_MATRIX = re.compile(r"(?P<prefix>.*?)matrix\.mtx(\.gz)?", re.I)
_BARCODES = ("barcodes", "cells", "cell_barcodes")
_FEATURES = ("features", "genes")
_NAMES = ("tsv", "tsv.gz", "txt", "txt.gz")


@dataclass(frozen=True)
class Triplet:
    """The three files of one matrix."""

    matrix: Path
    barcodes: Path
    features: Path


def matrices(folder: Path) -> list[Path]:
    """Return the files of a folder that are called as matrices are, prefixes allowed."""
    return sorted(p for p in folder.iterdir() if _MATRIX.fullmatch(p.name) and p.is_file())


def find_triplet(path: Path) -> Triplet:
    """Find the names that go with a matrix.

    Parameters
    ----------
    path
        A folder that holds one matrix, or the matrix itself, ``PREFIXmatrix.mtx`` with
        ``PREFIXbarcodes.tsv`` and ``PREFIXfeatures.tsv`` (or ``genes.tsv``) beside it, each perhaps
        compressed.

    Raises
    ------
    InputError
        If a file is missing, or the folder holds several matrices or none.
    """
    if path.is_dir():
        found = matrices(path)
        if not found:
            below = sorted({p.parent for p in path.glob("*/*") if _MATRIX.fullmatch(p.name)})
            hint = f"; the folders in it do: {', '.join(map(str, below))}" if below else ""
            raise InputError(
                f"{path} is a folder without matrix.mtx{hint}; name a file in it, or a folder "
                "with matrix.mtx, barcodes.tsv and features.tsv (or genes.tsv)"
            )
        if len(found) > 1:
            names = ", ".join(p.name for p in found)
            raise InputError(f"{path} holds {len(found)} matrices ({names}); name one of the files")
        path = found[0]
    named = _MATRIX.fullmatch(path.name)
    prefix = named["prefix"] if named else ""
    return Triplet(path, _beside(path, prefix, _BARCODES), _beside(path, prefix, _FEATURES))


def read_matrix_market(path: Path, notes: list[str]) -> AnnData:
    """Read a folder or a matrix; see `find_triplet`.

    Returns
    -------
    AnnData, cells × genes; symbols name the genes, identifiers where symbols repeat.

    Raises
    ------
    InputError
        If a file is missing, the matrix is not in coordinates, or its header claims other sizes
        than there are names, or more entries than the file can hold.
    """
    from scipy.io import mmread

    files = find_triplet(path)
    n_rows, n_columns, n_entries = read_text(files.matrix, lambda text: _sizes(text, files), notes)
    room = files.matrix.stat().st_size * (PACKED if files.matrix.suffix == ".gz" else 1)
    if n_entries > room // SHORTEST_ENTRY:
        raise InputError(
            f"{files.matrix} claims {n_entries} values, more than a file of its size can hold; it "
            "may be truncated: copy it again"
        )
    cells = read_text(files.barcodes, _rows, notes)
    features = read_text(files.features, _rows, notes)
    turned = (n_rows, n_columns) == (len(cells), len(features)) and n_rows != n_columns
    n_genes, n_cells = (n_columns, n_rows) if turned else (n_rows, n_columns)
    features = _without_header(features, n_genes, files.features, notes)
    cells = _without_header(cells, n_cells, files.barcodes, notes)
    if (n_genes, n_cells) != (len(features), len(cells)):
        raise InputError(
            f"{files.matrix} claims {n_genes} genes × {n_cells} cells, but {files.features.name} "
            f"names {len(features)} genes and {files.barcodes.name} {len(cells)} cells; the files "
            "do not belong together, or one is damaged"
        )
    with open_unpacked(files.matrix) as raw:
        matrix = sp.csr_matrix(mmread(raw))
    return with_genes(
        matrix if turned else sp.csr_matrix(matrix.T),
        [row[0] for row in cells],
        [row[0] for row in features],
        [row[1] if len(row) > 1 else row[0] for row in features],
        [row[2] for row in features] if all(len(row) > 2 for row in features) else [],
        str(path),
        notes,
    )


def _beside(matrix: Path, prefix: str, stems: tuple[str, ...]) -> Path:
    names = [f"{prefix}{stem}.{ending}" for stem in stems for ending in _NAMES]
    found = next((matrix.with_name(n) for n in names if matrix.with_name(n).is_file()), None)
    if found is None:
        wanted = " or ".join(f"{prefix}{stem}.tsv" for stem in stems[: 1 + (stems is _FEATURES)])
        raise InputError(
            f"{matrix} holds numbers only, and {matrix.parent} lacks {wanted} (perhaps .gz), which "
            "names them"
        )
    return found


def _sizes(text: IO[str], files: Triplet) -> tuple[int, int, int]:
    head = next(text, "").split()
    sizes = next((line for line in text if line.strip() and line[0] != "%"), "").split()
    if head[:3] != ["%%MatrixMarket", "matrix", "coordinate"] or head[4:] != ["general"]:
        raise InputError(
            f"{files.matrix} begins with {' '.join(head)[:80]!r}; expected, as 10x writes it, "
            "'%%MatrixMarket matrix coordinate integer general'"
        )
    if len(sizes) != 3 or not all(re.fullmatch(r"[0-9]{1,18}", size) for size in sizes):
        raise InputError(
            f"{files.matrix} gives its sizes as {' '.join(sizes)[:80]!r}; expected three"
        )
    return int(sizes[0]), int(sizes[1]), int(sizes[2])


def _rows(text: IO[str]) -> list[list[str]]:
    return [fields(line) for line in text if line.strip()]


def _without_header(
    rows: list[list[str]], number: int, path: Path, notes: list[str]
) -> list[list[str]]:
    if len(rows) != number + 1 or not _HEADER.fullmatch(rows[0][0]):
        return rows
    notes.append(f"took the first line of {path.name} ({' '.join(rows[0])[:40]!r}) for a header")
    return rows[1:]


_HEADER = re.compile(r"x|v1||.*(barcode|cell|gene|feature|id|name|symbol)s?", re.I)
