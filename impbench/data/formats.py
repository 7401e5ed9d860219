"""Any file a user may have, opened as AnnData, or a plain statement of why it cannot be."""

from __future__ import annotations

import gzip
import lzma
import os
import re
import tempfile
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from impbench.data.h5ad import read_h5ad
from impbench.data.hdf5 import check_hdf5, check_matrices
from impbench.data.hdf5_trial import is_whole
from impbench.data.loom import read_loom
from impbench.data.matrix_market import read_matrix_market
from impbench.data.names import find_lost_names
from impbench.data.tenx_h5 import is_10x, read_10x_h5
from impbench.data.text import read_table
from impbench.errors import InputError, UnavailableError

if TYPE_CHECKING:
    from anndata import AnnData

HDF5_LAYOUTS = ("AnnData (X, obs, var)", "MuData (mod)", "10x (matrix)", "loom (matrix, row_attrs)")


def open_any(path: Path, transpose: bool = False) -> AnnData:
    """Read a file of any format of `FORMATS` whole into memory; see `open_noted`."""
    return open_noted(path, transpose)[0]


def open_noted(path: Path, transpose: bool = False) -> tuple[AnnData, tuple[str, ...]]:
    """Read a file of any format of `FORMATS`, and say what was passed over or put right.

    Parameters
    ----------
    path
        The file; for 10x output also the folder that holds ``matrix.mtx``; for a file of several
        modalities or genomes the file and one of them, such as ``my.h5mu/rna``.
    transpose
        Turn genes × cells into cells × genes.

    Returns
    -------
    The data in memory, and notes as sentences.

    Raises
    ------
    InputError
        If the file is missing, empty, damaged, not of the format its name says, or of none known.
    UnavailableError
        If reading the format needs a package that is not installed.
    """
    file, part = split_part(path)
    read = _reader(file)
    notes: list[str] = []
    try:
        with warnings.catch_warnings():
            # Old files and repeated names: old files read well, names are checked afterwards.
            warnings.simplefilter("ignore")
            data = read(file, part, notes)
            check_matrices(data, file)
    except (InputError, UnavailableError):
        raise
    except Exception as error:  # whatever is wrong with a file, its reader may fail in any way
        raise _refusal(file, error) from error
    if transpose:
        data = data.T
    notes += find_lost_names(data, str(file))
    return data, tuple(notes)


def split_part(path: Path) -> tuple[Path, str]:
    """Split ``my.h5mu/rna`` into the file and the part of it; the part is empty for most."""
    if not path.exists() and path.parent.is_file():
        return path.parent, path.name
    return path, ""


def _reader(path: Path) -> Callable[[Path, str, list[str]], AnnData]:
    if not path.exists():
        raise InputError(f"{path} does not exist")
    _check_permission(path)
    if path.is_dir():
        return _read_folder
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty (0 bytes)")
    ending = _ending(path)
    if ending not in FORMATS:
        hint = " (it holds HDF5: if AnnData wrote it, name it .h5ad)" if _is_hdf5(path) else ""
        raise InputError(
            f"{path} ends in {ending or 'nothing'}{hint}; impbench reads {', '.join(FORMATS)}, and "
            "folders with matrix.mtx"
        )
    return FORMATS[ending]


def _ending(path: Path) -> str:
    packed = path.suffix.lower() in (".gz", ".bz2", ".xz")
    return (path.with_suffix("") if packed else path).suffix.lower()


def _kind(path: Path) -> str:
    return "a folder of 10x output" if path.is_dir() else _ending(path)


def check_if_hdf5(path: Path) -> bool:
    """Return whether a file is HDF5, after `check_hdf5`; errors as `open_noted`."""
    _check_permission(path)
    try:
        if not _is_hdf5(path):
            return False
        check_hdf5(path)
    except InputError:
        raise
    except Exception as error:  # as above
        raise _refusal(path, error) from error
    return True


def _check_permission(path: Path) -> None:
    if not os.access(path, os.R_OK):
        raise InputError(f"{path} cannot be read: you have no permission to (chmod u+r, or ask)")


def _is_hdf5(path: Path) -> bool:
    import h5py

    return bool(h5py.is_hdf5(path))  # its signature may follow a block of MuData's own


def _refusal(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path} cannot be read as {_kind(path)}: {_one_line(error)}; {_cure(path, error)}"
    )


def _cure(path: Path, error: Exception) -> str:
    """Call a file damaged only where it is."""
    if isinstance(error, BlockingIOError):
        return "another program has it open for writing: close it there, or take a copy"
    broken = isinstance(error, EOFError | gzip.BadGzipFile | zlib.error | lzma.LZMAError)
    if broken or (path.is_file() and _is_hdf5(path) and not is_whole(path)):
        return "it is truncated or damaged: write or copy it again"
    return "it is not laid out as impbench expects: see docs/datasets.md, or save it as h5ad"


def _read_hdf5(path: Path, part: str, notes: list[str]) -> AnnData:
    """Read HDF5 by what it holds, whatever it is called."""
    import h5py

    if path.suffix.lower() == ".gz":
        return _unpacked(path, part, notes)
    if not _is_hdf5(path):
        with path.open("rb") as file:
            start = file.read(16)
        raise InputError(
            f"{path} is not an HDF5 file, as its name says (it begins with {start!r}); "
            "if it is a table, name it .csv or .tsv"
        )
    check_hdf5(path)
    with h5py.File(path, "r") as file:
        keys = {*file}
        if "matrix" in keys and "row_attrs" in keys:
            read = read_loom
        elif keys & {"obs", "var", "mod", "X"}:
            read = read_h5ad
        elif is_10x(file):
            read = read_10x_h5
        else:
            raise InputError(
                f"{path} holds HDF5 with {', '.join(sorted(keys)[:8]) or 'nothing in it'}; "
                f"impbench knows the layouts {', '.join(HDF5_LAYOUTS)}"
            )
    return read(path, part, notes)


def _unpacked(path: Path, part: str, notes: list[str]) -> AnnData:
    with tempfile.TemporaryDirectory(prefix="impbench-") as scratch:
        plain = Path(scratch) / path.with_suffix("").name
        room = psutil.disk_usage(scratch).free
        with gzip.open(path) as packed, plain.open("wb") as file:
            while piece := packed.read(1 << 20):
                if file.tell() > room - (1 << 20):
                    raise InputError(
                        f"{path} unpacks to more than the {room / 2**30:.3g} GiB that are free in "
                        f"{tempfile.gettempdir()}: name another folder in TMPDIR"
                    )
                file.write(piece)
        try:
            return _read_hdf5(plain, part, notes)
        except UnavailableError:
            raise
        except Exception as error:
            said = error if isinstance(error, InputError) else _refusal(plain, error)
            raise InputError(str(said).replace(str(plain), str(path))) from error


def _read_table(path: Path, _: str, notes: list[str]) -> AnnData:
    if _is_hdf5(path):
        raise InputError(f"{path} holds HDF5, not text; if AnnData wrote it, name it .h5ad")
    return read_table(path, notes)


def _read_folder(path: Path, _: str, notes: list[str]) -> AnnData:
    return read_matrix_market(path, notes)


def _read_rds(path: Path, _: str, notes: list[str]) -> AnnData:
    from impbench.data.r_files.read import read_rds

    return read_rds(path, notes)


def _one_line(error: Exception) -> str:
    """Return what a library says, without the addresses and modules of its objects."""
    words = " ".join(str(error).split())
    words = re.sub(r"<(?:class )?'?(?:[\w.]+\.)?(\w+)'?(?: object at 0x\w+)?>", r"\1", words)
    return words[:200] or type(error).__name__


FORMATS: dict[str, Callable[[Path, str, list[str]], Any]] = {
    ".h5ad": _read_hdf5,
    ".csv": _read_table,
    ".tsv": _read_table,
    ".txt": _read_table,
    ".mtx": _read_folder,
    ".loom": _read_hdf5,
    ".h5": _read_hdf5,
    ".h5mu": _read_hdf5,
    ".rds": _read_rds,
}
"""What impbench reads, by the ending of the file's name; ``.gz`` may follow, and ``.bz2`` or
``.xz`` a text format."""
