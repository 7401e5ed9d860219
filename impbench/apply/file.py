"""`impbench impute`: a method applied to a file, the result beside a copy of all that it holds."""

from __future__ import annotations

import gzip
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impbench.apply import h5ad
from impbench.apply.disk import open_hdf5
from impbench.apply.layer import ImputedLayer, describe, lay_out, scanpy_hint
from impbench.apply.method import apply, ready
from impbench.apply.options import Options
from impbench.data.formats import open_noted
from impbench.data.result_places import places_of
from impbench.errors import InputError
from impbench.gives import only_embedding
from impbench.imputer import Imputer
from impbench.write_atomically import PARTIAL

if TYPE_CHECKING:
    from anndata import AnnData


@dataclass(frozen=True)
class Written:
    """What `impute_file` wrote.

    Attributes
    ----------
    entry
        ``uns[key_added]`` of the file.
    hint
        What scanpy must be told before it reads the layer, or None.
    place
        Where in the file the layer is, or else the embedding.
    """

    entry: dict[str, Any]
    hint: str | None
    place: str = ""


def impute_file(
    file: Path, out: Path, imputer: str | Imputer, *, transpose: bool = False, **options: Any
) -> Written:
    """Apply a method to a file and write an h5ad file.

    An h5ad file is copied byte by byte, and the result added to the copy: no other slot, type or
    compression changes. Of any other format a new h5ad file is made.

    Parameters
    ----------
    file
        Whatever `impbench run --data` reads.
    out
        h5ad file to write, whole or not at all; may be `file`.
    transpose
        The file holds genes × cells; in a copied h5ad file the new layer then does too, and an
        embedding goes to ``varm``.
    options
        As `impbench.impute`.

    Raises
    ------
    InputError
        If `file` cannot be read, holds no counts, has the new names already, or `out` cannot be
        written: before anything is imputed. Or if the method returns something unusable.
    UnavailableError, ImputationError
        As `impbench.impute`.
    """
    chosen = Options(**options)
    key = chosen.key_added
    method = ready(imputer, chosen)
    if out.suffix != ".h5ad" or out.is_dir():
        raise InputError(f"{out} must be the name of a file that ends in .h5ad")
    data, notes = open_noted(file, transpose)
    layout = lay_out(data, str(file), chosen, notes, layer=not only_embedding(method.gives))
    names = list(map(str, data.var_names))
    by_gene = transpose and _is_h5ad(file)
    with _whole_or_not(out) as partial:
        with _writing(out):
            _begin(file, data, partial)
            h5ad.make_room(partial, key, chosen.overwrite, str(file), by_gene)
        # What a large file holds besides its counts would stand in the method's way.
        del data
        layer = ImputedLayer(layout, apply(method, layout.observed, chosen), chosen, by_gene)
        entry = describe(layer, method, names)
        with _writing(out):
            h5ad.add(partial, key, layer, entry)
        place = places_of(key, by_gene)[int(only_embedding(method.gives))]
        return Written(entry, scanpy_hint(entry, key, h5ad.scanpy_base(partial)), place)


@contextmanager
def _whole_or_not(out: Path) -> Iterator[Path]:
    """Yield the name of a file that becomes `out` if all goes well, and vanishes if not."""
    partial = out.with_name(f".{out.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        yield partial
        with _writing(out):
            with partial.open("rb+") as written:
                os.fsync(written.fileno())
            partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror or error}") from error


def _is_h5ad(path: Path) -> bool:
    """Whether a file that could be read is AnnData's own, whatever it is called."""
    import h5py

    if path.name.lower().endswith(".h5ad.gz"):
        return True
    if path.is_dir() or not path.exists() or not h5py.is_hdf5(path):
        return False
    with h5py.File(path, "r") as file:
        return {"obs", "var"} <= {*file} and "mod" not in file


def _begin(file: Path, data: AnnData, partial: Path) -> None:
    if not _is_h5ad(file):
        _write_new(file, data, partial)
    elif file.suffix.lower() == ".gz":
        with gzip.open(file) as packed, partial.open("xb") as copy:
            shutil.copyfileobj(packed, copy)
    else:
        shutil.copyfile(file, partial)


def _write_new(file: Path, data: AnnData, partial: Path) -> None:
    from anndata.io import write_elem

    for frame in (data.obs, data.var):
        # AnnData keeps the names under this name, and refuses a column that bears it.
        frame.rename(columns={"_index": "index"}, inplace=True)
        frame.index.name = None
    try:
        with open_hdf5(partial, "w") as new:
            write_elem(new, "/", data, dataset_kwargs={"compression": "gzip"})
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(
            f"{file} cannot be stored as h5ad: {error}; leave out what is named there"
        ) from error
