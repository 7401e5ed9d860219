"""Any file a user may have, opened as AnnData, or a plain statement of why it cannot be."""

from __future__ import annotations

import csv
import gzip
import io
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from impbench.data.hdf5 import check_10x, check_hdf5, check_matrices
from impbench.data.matrix_market import BARCODES, FEATURES, MATRIX, check_10x_folder
from impbench.errors import InputError, UnavailableError

if TYPE_CHECKING:
    from anndata import AnnData

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def open_any(path: Path, transpose: bool = False) -> AnnData:
    """Read a file of any format of `FORMATS` whole into memory.

    Parameters
    ----------
    path
        The file; for 10x output also the folder that holds ``matrix.mtx``.
    transpose
        Turn genes × cells into cells × genes.

    Raises
    ------
    InputError
        If the file is missing, empty, damaged, not of the format its name says, or of none known.
    UnavailableError
        If reading the format needs a package that is not installed.
    """
    read = _reader(path)
    try:
        with warnings.catch_warnings():
            # Old files and repeated names: old files read well, names are checked afterwards.
            warnings.simplefilter("ignore")
            data = read(path)
            check_matrices(data, path)
    except (InputError, UnavailableError):
        raise
    except Exception as error:  # a damaged file can make a reader fail in any way
        raise InputError(
            f"{path} cannot be read as {_ending(path)}: {_one_line(error)}; "
            "it may be truncated or damaged: write or copy it again"
        ) from error
    return data.T if transpose else data


def _reader(path: Path) -> Callable[[Path], AnnData]:
    if not path.exists():
        raise InputError(f"{path} does not exist")
    if path.is_dir():
        if any(_sibling(path, name) for name in MATRIX):
            return _read_10x_folder
        raise InputError(f"{path} is a folder; name a file in it, or a folder with matrix.mtx")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty (0 bytes)")
    ending = _ending(path)
    if ending not in FORMATS:
        hint = " (it holds HDF5: if AnnData wrote it, name it .h5ad)" if _is_hdf5(path) else ""
        raise InputError(
            f"{path} ends in {ending or 'nothing'}{hint}; impbench reads {', '.join(FORMATS)}"
        )
    return FORMATS[ending]


def _ending(path: Path) -> str:
    return path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix


def _is_hdf5(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE


def _need_hdf5(path: Path) -> None:
    if not _is_hdf5(path):
        with path.open("rb") as file:
            start = file.read(16)
        raise InputError(
            f"{path} is not an HDF5 file, as its name says (it begins with {start!r}); "
            "if it is a table, name it .csv or .tsv"
        )
    check_hdf5(path)


def _read_h5ad(path: Path) -> AnnData:
    import anndata

    _need_hdf5(path)
    return anndata.read_h5ad(path)


def _read_10x_h5(path: Path) -> AnnData:
    import scanpy

    _need_hdf5(path)
    check_10x(path)
    data = scanpy.read_10x_h5(path)
    return _by_gene_id(data)


def _read_10x_folder(path: Path) -> AnnData:
    import scanpy

    check_10x_folder(path)
    return _by_gene_id(scanpy.read_10x_mtx(path, cache=False, make_unique=False))


def _read_mtx(path: Path) -> AnnData:
    names = [name for name in (*BARCODES, *FEATURES) if _sibling(path.parent, name)]
    if path.name not in MATRIX or len(names) < 2:
        raise InputError(
            f"{path} holds numbers only; beside matrix.mtx impbench expects the names, as 10x "
            "writes them: barcodes.tsv and features.tsv (or genes.tsv)"
        )
    return _read_10x_folder(path.parent)


def _read_loom(path: Path) -> AnnData:
    import anndata

    _need_hdf5(path)
    try:
        return anndata.io.read_loom(path)
    except ImportError as error:
        raise UnavailableError(
            f"reading {path} needs loompy, which is not installed: pip install loompy"
        ) from error


def _read_table(separator: str) -> Callable[[Path], AnnData]:
    def read(path: Path) -> AnnData:
        import anndata

        if _is_hdf5(path):
            raise InputError(f"{path} holds HDF5, not text; if AnnData wrote it, name it .h5ad")
        table = pd.read_csv(path, sep=separator, index_col=0)
        if table.empty:
            raise InputError(
                f"{path} holds no column of numbers separated by {separator!r}; "
                "expected a header of gene names and one row per cell, its name first"
            )
        text = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
        if text:
            raise InputError(
                f"{path}: column {text[0]!r} holds text (such as {table[text[0]].iloc[0]!r}); a "
                "table may hold counts only: store annotation as obs of an h5ad file"
            )
        rows = table.index.map(lambda name: "" if pd.isna(name) else str(name))
        return anndata.AnnData(
            X=table.to_numpy(),
            obs=pd.DataFrame(index=rows),
            var=pd.DataFrame(index=_header(path, separator)[-len(table.columns) :]),
        )

    return read


def _header(path: Path, separator: str) -> list[str]:
    """Column names as they stand, which pandas would make unique; R leaves out the first."""
    with path.open("rb") as raw:
        plain = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
        return next(csv.reader(io.TextIOWrapper(plain, "utf-8"), delimiter=separator))


def _by_gene_id(data: AnnData) -> AnnData:
    """Gene symbols repeat in 10x files, so the identifiers become the names where they do."""
    if not data.var_names.is_unique and "gene_ids" in data.var:
        data.var["gene_symbols"] = data.var_names
        data.var_names = data.var["gene_ids"].astype(str)
    return data


def _sibling(folder: Path, name: str) -> bool:
    return (folder / name).is_file()


def _one_line(error: Exception) -> str:
    """Return what a library says, without the addresses and modules of its objects."""
    words = " ".join(str(error).split())
    words = re.sub(r"<(?:class )?'?(?:[\w.]+\.)?(\w+)'?(?: object at 0x\w+)?>", r"\1", words)
    return words[:200] or type(error).__name__


FORMATS: dict[str, Callable[[Path], Any]] = {
    ".h5ad": _read_h5ad,
    ".csv": _read_table(","),
    ".tsv": _read_table("\t"),
    ".txt": _read_table("\t"),
    ".mtx": _read_mtx,
    ".loom": _read_loom,
    ".h5": _read_10x_h5,
}
"""What impbench reads, by the ending of the file's name; ``.gz`` may follow a text format."""
