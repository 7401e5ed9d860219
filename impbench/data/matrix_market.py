"""10x folders looked over before compiled code makes the room that ``matrix.mtx`` asks for."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import IO

from impbench.errors import InputError

MATRIX = ("matrix.mtx", "matrix.mtx.gz")
BARCODES = ("barcodes.tsv", "barcodes.tsv.gz")
FEATURES = ("genes.tsv", "features.tsv", "features.tsv.gz")

SHORTEST_ENTRY = 4
"""Bytes of ``1 1`` and the end of its line."""

GZIP = 1032
"""No gzip file shrinks further than by this factor."""


def check_10x_folder(folder: Path) -> None:
    """Refuse a matrix that is not as 10x writes it, or claims more than there is.

    Raises
    ------
    InputError
        If a file is missing, the matrix is not in coordinates, or its header claims other sizes
        than there are names, or more entries than the file can hold.
    """
    matrix, features, barcodes = (_find(folder, names) for names in (MATRIX, FEATURES, BARCODES))
    with _open(matrix) as lines:
        head = next(lines, "").split()
        sizes = next((line for line in lines if line.strip() and line[0] != "%"), "").split()
    if head[:3] != ["%%MatrixMarket", "matrix", "coordinate"] or head[4:] != ["general"]:
        raise InputError(
            f"{matrix} begins with {' '.join(head)[:80]!r}; expected, as 10x writes it, "
            "'%%MatrixMarket matrix coordinate integer general'"
        )
    if len(sizes) != 3 or not all(re.fullmatch(r"[0-9]{1,18}", size) for size in sizes):
        raise InputError(f"{matrix} gives its sizes as {' '.join(sizes)[:80]!r}; expected three")
    claimed = tuple(map(int, sizes[:2]))
    named = (_count(features), _count(barcodes))
    if claimed != named:
        raise InputError(
            f"{matrix} claims {claimed[0]} genes × {claimed[1]} cells, but {features.name} names "
            f"{named[0]} genes and {barcodes.name} {named[1]} cells; the files do not belong "
            "together, or one is damaged"
        )
    room = matrix.stat().st_size * (GZIP if matrix.suffix == ".gz" else 1)
    if int(sizes[2]) > room // SHORTEST_ENTRY:
        raise InputError(
            f"{matrix} claims {sizes[2]} values, more than a file of its size can hold; it may be "
            "truncated: copy it again"
        )


def _find(folder: Path, names: tuple[str, ...]) -> Path:
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    if found is None:
        raise InputError(f"{folder} lacks {' or '.join(names)}, which 10x output has")
    return found


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def _count(path: Path) -> int:
    with _open(path) as lines:
        return sum(1 for line in lines if line.strip())
