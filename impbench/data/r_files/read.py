"""R's files (``.rds``): a SingleCellExperiment or a matrix of counts, read without R."""

from __future__ import annotations

import bz2
import gzip
import lzma
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from impbench.data.hdf5 import check_sparse
from impbench.data.r_files.objects import (
    attributes,
    class_of,
    matrix,
    named_list,
    strings,
    table,
    variables,
)
from impbench.data.r_files.through_r import rewrite
from impbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

ASSAYS = ("counts", "normcounts")
"""Assays on a linear scale, the better first; SingleCellExperiment's own names."""

_COMPRESSIONS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
_CONVERT = {
    "Seurat": "as.SingleCellExperiment(x)",
    "seurat": "as.SingleCellExperiment(UpdateSeuratObject(x))",
    "SCESet": "scater::toSingleCellExperiment(x), of scater before 1.10",
    "CellDataSet": "SingleCellExperiment(list(counts = exprs(x)), colData = pData(x))",
}


def read_rds(path: Path, notes: list[str]) -> AnnData:
    """Read a SingleCellExperiment, or a matrix or data.frame of counts, genes × cells.

    Serialization versions 2 and 3, uncompressed or with gzip, bzip2 or xz.

    Returns
    -------
    AnnData: `X` the assay ``counts``, or ``normcounts`` where there is none (cells × genes, its
    name in ``uns["assay"]``), or none; `layers` the other assays; `obs` the colData and `var` the
    rowData. Alternative experiments are left out, and spike-ins stay genes, as they are in R.

    Raises
    ------
    InputError
        If the file is damaged or cannot be parsed, or holds another object, or no matrix whose
        class is known.
    """
    item = _parsed(_unpacked(path), path)
    try:
        return _read(item, path, notes)
    except InputError:
        raise
    except Exception as error:  # what a damaged object lacks may be missed anywhere
        raise InputError(
            f"{path} cannot be read as rds: its object is not put together as R's are "
            f"({_said(error)}); if R opens it, {_IN_R}"
        ) from error


def _read(item: Any, path: Path, notes: list[str]) -> AnnData:
    parts = _taken_apart(item, path)
    if parts.needs_r:
        try:
            plain = rewrite(path, parts.item, parts.assays)
        except InputError as error:
            if not parts.found:
                raise InputError(f"{path} {parts.lack}; {error}") from error
            notes.append(f"what could not be read here: {error}")
        else:
            asked, parts = parts, _taken_apart(_parsed(plain, path), path)
            left = {n: k for n, k in asked.unknown.items() if asked.slots and n not in parts.found}
            computed = {
                name: asked.unknown.get(name, asked.kind)
                for name in parts.found
                if name not in asked.found
            }
            notes += [f"let R compute {name!r}, of the class {k}" for name, k in computed.items()]
            parts.unknown.update(left)
    if not parts.found:
        cure = f"convert it in R first: {_CONVERT[parts.kind]}" if parts.kind in _CONVERT else _IN_R
        raise InputError(f"{path} {parts.lack}; {cure}")
    notes += [
        f"passed over the assay {name!r}, of the unknown class {kind}"
        for name, kind in parts.unknown.items()
    ]
    return _assembled(parts.found, parts.slots, path, notes)


_IN_R = (
    "save the counts in R as one that impbench reads, for example with "
    "saveRDS(SingleCellExperiment(list(counts = m)), file), or zellkonverter::writeH5AD"
)


def _parsed(content: bytes, path: Path) -> Any:
    from impbench.data.r_files.parser import parse_r

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return parse_r(content)
    except Exception as error:  # the parser raises whatever it meets
        raise InputError(
            f"{path} cannot be read as rds: it is cut off, damaged, or holds what rdata does not "
            f"know ({_said(error)}); if R opens it, {_IN_R}"
        ) from error


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"


def _unpacked(path: Path) -> bytes:
    with path.open("rb") as file:
        start = file.read(6)
    opened: Any = next((f for s, f in _COMPRESSIONS.items() if start.startswith(s)), open)
    try:
        content, room = bytearray(), psutil.virtual_memory().available
        with opened(path, "rb") as file:
            while piece := file.read(1 << 24):
                content += piece
                if len(content) > room:
                    raise InputError(
                        f"{path} unpacks to more than the {room / 2**30:.3g} GiB of memory that "
                        "are free here; if it is not damaged, take a machine with more"
                    )
        return bytes(content)
    except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise InputError(
            f"{path} cannot be read as rds: {error}; it is truncated or damaged: fetch it again"
        ) from error


@dataclass(frozen=True)
class _Parts:
    """An object, its slots where it is an experiment, and its assays: read, or of which class."""

    item: Any
    slots: dict[str, Any]
    assays: dict[str, Any]
    found: dict[str, Any]
    unknown: dict[str, str]

    @property
    def kind(self) -> str:
        return class_of(self.item)

    @property
    def needs_r(self) -> bool:
        """Whether what counts is of a class that R knows, and nobody here."""
        if self.slots:
            needed = self.unknown if not self.found else [n for n in ASSAYS if n in self.unknown]
            return bool(needed)
        # A matrix of another package, or of samples and genes as Biobase has it.
        slots = attributes(self.item)
        return not self.found and bool({"Dim", "dim", "seed", "assayData"} & slots.keys())

    @property
    def lack(self) -> str:
        if self.slots:
            classes = ", ".join(sorted(set(self.unknown.values())))
            return f"has no assay of a class that impbench knows, only of {classes or 'none'}"
        return (
            f"holds an R object of class {self.kind}; expected a SingleCellExperiment, or a "
            "matrix or data.frame of counts"
        )


def _taken_apart(item: Any, path: Path) -> _Parts:
    slots = attributes(item)
    # Classes made of SummarizedExperiment have its slots, whatever they are called.
    slots = slots if {"assays", "colData"} <= slots.keys() else {}
    assays = _assays(slots["assays"]) if slots else {"counts": item}
    read = {name: matrix(assay) for name, assay in assays.items()}
    found = {name: values for name, values in read.items() if values is not None}
    for name, values in found.items():
        _check(values[0], f"{name} of {path}")
    unknown = {name: class_of(assays[name]) for name in assays if name not in found}
    return _Parts(item, slots, assays, found, unknown)


def _check(values: Any, where: str) -> None:
    """Refuse a sparse matrix that points outside itself, and one of more names than fit here."""
    if hasattr(values, "indptr"):
        check_sparse(values, where)
    # A name takes about this many bytes, and each row and column gets one.
    size, room = 100 * sum(values.shape), psutil.virtual_memory().available
    if size > room:
        raise InputError(
            f"{where} claims {values.shape[0]} × {values.shape[1]} values, more rows and columns "
            "than this machine has memory to name"
        )


def _assays(item: Any) -> dict[str, Any]:
    """Every assay by name; old objects keep the list in an environment."""
    slots = attributes(item)
    if ".xData" in slots:
        slots = variables(slots[".xData"])
        # A field of a class that is checked lies behind a function of its name.
        slots = {"data": slots.get(".->data", slots.get("data"))}
    data = slots.get("data", item)
    return named_list(attributes(data).get("listData", data))


def _assembled(
    found: dict[str, Any], slots: dict[str, Any], path: Path, notes: list[str]
) -> AnnData:
    import anndata
    import pandas as pd

    chosen = next((name for name in ASSAYS if name in found), None)
    values, rows, columns = found[chosen or next(iter(found))]
    n_genes, n_cells = values.shape
    genes = _first_names(rows, n_genes, *_row_names(slots))
    about = slots.get("colData")
    cells = _first_names(columns, n_cells, about and attributes(about).get("rownames"))
    data = anndata.AnnData(
        None if chosen is None else _turned(values),
        pd.DataFrame(index=cells) if about is None else table(about, cells),
        _gene_table(slots, genes),
        layers={
            name: _turned(other)
            for name, (other, *_) in found.items()
            if name != chosen and other.shape == values.shape
        },
        uns={} if chosen is None else {"assay": chosen},
    )
    others = _alternatives(slots)
    if others:
        notes.append(f"left out the alternative experiments {', '.join(others)}")
    return data


def _turned(values: Any) -> Any:
    """Cells × genes."""
    return values.T.tocsr() if hasattr(values, "tocsr") else values.T


def _row_names(slots: dict[str, Any]) -> list[Any]:
    """Where the names of genes may be: of the object, of its ranges, of its rowData."""
    ranges = attributes(slots["rowRanges"]) if "rowRanges" in slots else {}
    parts = attributes(ranges["partitioning"]) if "partitioning" in ranges else {}
    about = slots.get("elementMetadata")
    own = attributes(about).get("rownames") if about is not None else None
    inside = attributes(ranges["ranges"]).get("NAMES") if "ranges" in ranges else None
    return [slots.get("NAMES"), parts.get("NAMES"), inside, own]


def _first_names(own: list[str] | None, number: int, *places: Any) -> list[str]:
    """The first names there are: of the object, else of the matrix; else 0, 1, 2."""
    for place in places:
        names = [] if place is None or place.info.type.name != "STR" else strings(place)
        if len(names) == number:
            return [str(name) for name in names]
    return own or [str(i) for i in range(number)]


def _gene_table(slots: dict[str, Any], genes: list[str]) -> pd.DataFrame:
    import pandas as pd

    ranges = attributes(slots["rowRanges"]) if "rowRanges" in slots else {}
    for about in (ranges.get("elementMetadata"), slots.get("elementMetadata")):
        if about is not None and "listData" in attributes(about):
            found = table(about, genes)
            if len(found.columns):
                return found
    return pd.DataFrame(index=genes)


def _alternatives(slots: dict[str, Any]) -> list[str]:
    internal = slots.get("int_colData")
    if internal is None:
        return []
    held = named_list(attributes(internal)["listData"])
    if "altExps" not in held:
        return []
    return list(named_list(attributes(held["altExps"])["listData"]))
