"""Loom files: the main matrix and every layer, genes × cells on disk, read without loompy."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from impbench.data.hdf5 import texts
from impbench.data.names import CELL_COLUMNS, GENE_COLUMNS, naming_column
from impbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

BLOCK = 1 << 26
"""Bytes of a dense matrix that are looked at together."""


def read_loom(path: Path, part: str, notes: list[str]) -> AnnData:
    """Read a loom file.

    Returns
    -------
    AnnData: `X` the main matrix, cells × genes, which for velocyto is the sum of ``spliced``,
    ``unspliced`` and ``ambiguous``; those and others in `layers`. `obs` and `var` hold the
    attributes of one dimension, their names ``CellID`` and ``Gene``, ``Accession`` where symbols
    repeat, or what else names every one; without any, 0, 1, 2.

    Raises
    ------
    InputError
        If the file has no main matrix, or a layer or attribute of another size.
    """
    import anndata
    import h5py

    if part:
        raise InputError(f"{path} has layers, and no part {part!r}: choose with --layer")
    with h5py.File(path, "r") as file:
        if not isinstance(file.get("matrix"), h5py.Dataset):
            raise InputError(f"{path} has no main matrix (/matrix), which every loom file has")
        counts = _sparse(file["matrix"])
        layers = {}
        for key, layer in file.get("layers", {}).items():
            if layer.shape != file["matrix"].shape:
                raise InputError(
                    f"{path}: layer {key!r} is {layer.shape}, the main matrix "
                    f"{file['matrix'].shape}"
                )
            layers[key] = _sparse(layer)
        cells = _attributes(file, path, "col_attrs", counts.shape[0])
        genes = _attributes(file, path, "row_attrs", counts.shape[1])
    return anndata.AnnData(
        counts,
        _named(cells, CELL_COLUMNS, "CellID"),
        _named(genes, GENE_COLUMNS, "Gene"),
        layers=layers,
    )


def _sparse(stored: Any) -> sp.csr_matrix:
    """Cells × genes, never dense as a whole."""
    step = max(1, BLOCK // max(1, stored.dtype.itemsize * stored.shape[1]))
    blocks = [
        sp.csr_matrix(stored[start : start + step]) for start in range(0, stored.shape[0], step)
    ]
    return sp.csr_matrix(sp.vstack(blocks, format="csr").T)


def _attributes(file: Any, path: Path, group: str, number: int) -> pd.DataFrame:
    import pandas as pd

    columns: dict[str, Any] = {}
    found: Mapping[str, Any] = file.get(group, {})
    for key, stored in found.items():
        if stored.ndim != 1:
            continue
        if len(stored) != number:
            raise InputError(
                f"{path}: {group}/{key} has {len(stored)} values, the main matrix {number}"
            )
        values = stored[()]
        # Loom 1 kept text as ASCII with XML's references; loompy turns them back in every version.
        told = values.dtype.kind in "OSU"
        columns[key] = [html.unescape(text) for text in texts(values)] if told else values
    return pd.DataFrame(columns, index=[str(i) for i in range(number)])


def _named(frame: pd.DataFrame, columns: tuple[str, ...], standard: str) -> pd.DataFrame:
    import pandas as pd

    column = naming_column(frame, columns)
    if column is None and standard in frame:
        column = standard  # repeated names are refused later, by their own name
    return frame if column is None else frame.set_index(pd.Index(np.asarray(frame[column], str)))
