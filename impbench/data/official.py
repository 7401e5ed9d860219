"""From a card to a dataset: find the official files, read them by their layout, pick the cells."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from impbench.data.bundled import read_pbmc68k_reduced
from impbench.data.card import Card
from impbench.data.card_truths import add_truths
from impbench.data.dataset import Dataset
from impbench.data.formats import open_any
from impbench.data.locate import LOCAL_LABEL_KEY, fetch_files
from impbench.data.read import from_anndata
from impbench.data.text import read_annotation
from impbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

_10X_FILES = {"matrix.mtx", "barcodes.tsv", "features.tsv", "genes.tsv"}
"""What a 10x folder holds, perhaps compressed."""


def read_official(card: Card) -> Dataset:
    """Return the card's data set, all its genes, unprepared; downloads it if it is not here.

    Raises
    ------
    UnavailableError
        If it cannot be had; says which file to put where, or which package to install.
    InputError
        If the files are not what the card says.
    """
    if card.layout == "scanpy-package":
        dataset = read_pbmc68k_reduced()
    else:
        path = fetch_files(card)
        if path.suffix == ".h5ad":
            data, key = open_any(path), LOCAL_LABEL_KEY
        else:
            data = _READERS[card.layout](path, card)
            key = _labels(data, card, path)
        add_truths(data, card, key, str(path))
        found = from_anndata(data, str(path), label_key=key, scale=card.scale, name=card.name)
        # What is published should not tell where somebody's folder with data sets is.
        dataset = replace(found, facts={**found.facts, "source": path.name})
    return replace(dataset, facts={**dataset.facts, "card": asdict(card)})


def _labels(data: AnnData, card: Card, path: Path) -> str:
    """Make the column of cell types ready, without the cells the card drops; return its key."""
    if card.markers:
        data.obs[card.label_key] = _by_markers(data, card, path)
    key = card.drop_key or card.label_key
    if card.drop_values and key in data.obs:
        dropped = data.obs[key].astype(str).isin(card.drop_values)
        data.obs[card.label_key] = data.obs[card.label_key].astype(object).mask(dropped)
    return card.label_key


def _by_markers(data: AnnData, card: Card, path: Path) -> pd.Series:
    """Give a cell the type whose marker it expresses, and none if it expresses several or none."""
    import pandas as pd

    symbols = data.var.get("gene_symbols", data.var_names.to_series())
    labels = pd.Series(None, index=data.obs_names, dtype=object)
    seen = np.zeros(data.n_obs, dtype=int)
    for marker in card.markers:
        column = np.flatnonzero(symbols == marker.gene)
        if not len(column):
            raise InputError(f"{path} lacks the marker gene {marker.gene}")
        positive = np.asarray(data.X[:, column].sum(axis=1)).ravel() > 0
        labels[positive] = marker.label
        seen += positive
    labels[seen > 1] = None
    return labels


def _read_only_file(folder: Path, card: Card) -> AnnData:
    return open_any(folder / card.files[0].filename)


def _read_counts_csv(folder: Path, card: Card) -> AnnData:
    """First file: genes × cells; second: one row per cell, its name first."""
    counts, about = (folder / file.filename for file in card.files)
    data = open_any(counts, transpose=True)
    data.obs = _by_cell(read_annotation(about), data, about)
    return data


def _read_10x_archive(folder: Path, card: Card) -> AnnData:
    """First file: a tar of one 10x folder; second, if any: a table with the column ``barcodes``."""
    archive, *about = (folder / file.filename for file in card.files)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            with tarfile.open(archive) as packed:
                _unpack_10x(packed, Path(scratch))
        except (tarfile.TarError, EOFError, OSError) as error:
            raise InputError(f"{archive} cannot be unpacked: {error}; fetch it again") from error
        matrices = sorted(Path(scratch).rglob("matrix.mtx*"))
        if len(matrices) != 1:
            raise InputError(f"{archive} holds {len(matrices)} matrix.mtx files; expected one")
        data = open_any(matrices[0].parent)
    for path in about:
        data.obs = _by_cell(read_annotation(path, "barcodes"), data, path)
    return data


def _unpack_10x(packed: tarfile.TarFile, scratch: Path) -> None:
    """Write the files of 10x folders, each to a folder of its own: no name leads elsewhere."""
    places: dict[PurePosixPath, int] = {}
    for member in packed:
        path = PurePosixPath(member.name)
        if member.isfile() and path.name.removesuffix(".gz") in _10X_FILES:
            folder = scratch / str(places.setdefault(path.parent, len(places)))
            folder.mkdir(exist_ok=True)
            source = packed.extractfile(member)
            assert source is not None
            with source, (folder / path.name).open("wb") as target:
                shutil.copyfileobj(source, target)


def _by_cell(table: pd.DataFrame, data: AnnData, path: Path) -> pd.DataFrame:
    """Bring a table of cells into the order of the counts' cells."""
    import pandas as pd

    lacking = data.obs_names.difference(table.index)
    if len(lacking):
        raise InputError(f"{path} says nothing about {len(lacking)} cells, such as {lacking[0]!r}")
    return pd.DataFrame(table.loc[data.obs_names])


_READERS: dict[str, Callable[[Path, Card], Any]] = {
    "h5ad": _read_only_file,
    "sce-rds": _read_only_file,
    "counts-csv": _read_counts_csv,
    "10x-archive": _read_10x_archive,
}
