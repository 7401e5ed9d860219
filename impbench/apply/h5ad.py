"""A layer added to an h5ad file, in HDF5 itself: what is there already is neither read nor written.

The encodings are AnnData's (its documentation, "On-disk format": array 0.2.0, csr_matrix 0.1.0).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from impbench.apply.disk import open_hdf5
from impbench.apply.layer import ImputedLayer
from impbench.apply.storage import compression_of
from impbench.data.result_places import places_of
from impbench.errors import InputError

CHUNK = 2**18
"""Values per compressed chunk: 1 MB of float32."""


def refuse_taken(taken: list[str], key: str, overwrite: bool, where: str) -> None:
    """Refuse a name that something bears already.

    Raises
    ------
    InputError
        Unless `overwrite`; says what is there.
    """
    if taken and not overwrite:
        raise InputError(
            f"{where} has {' and '.join(taken)} already; choose another name with --key-added "
            f"(such as {key}_2), or replace what is there with --overwrite"
        )


def make_room(path: Path, key: str, overwrite: bool, where: str, by_gene: bool = False) -> None:
    """Find the places free, or free them where the user wants them overwritten.

    Raises
    ------
    InputError
        If they are taken, or the file is laid out as AnnData did before its version 0.7.
    """
    import h5py

    places = places_of(key, by_gene)
    with open_hdf5(path, "r+") as file:
        for group in (place.partition("/")[0] for place in places):
            if group in file and not isinstance(file[group], h5py.Group):
                raise InputError(
                    f"{where}: {group} is laid out as AnnData did before version 0.7, and nothing "
                    "can be added to it; read it with anndata and write it again"
                )
        taken = [place for place in places if place in file]
        refuse_taken(taken, key, overwrite, where)
        for place in taken:
            del file[place]


def scanpy_base(path: Path) -> float | None:
    """Return ``uns["log1p"]["base"]``, or None where scanpy would take a log for a natural one."""
    import h5py

    with h5py.File(path, "r") as file:
        base = file.get("uns/log1p/base")
        if not isinstance(base, h5py.Dataset) or base.shape != ():
            return None
        return float(base[()])


def add(path: Path, key: str, layer: ImputedLayer, entry: dict[str, Any]) -> None:
    """Store the layer and the embedding, if there are such, and the entry of `uns`.

    Parameters
    ----------
    path
        An h5ad file where `make_room` made room for `key`.
    entry
        For ``uns[key]``.
    """
    from anndata.io import write_elem

    layer_at, embedding_at, entry_at = places_of(key, layer.by_gene)
    with open_hdf5(path, "r+") as file:
        filters = compression_of(file)
        if layer.imputed.expression is not None and len(layer.layout.columns):
            layers = _group(file, layer_at)
            add_layer = _add_sparse if layer.options.stored_sparse else _add_dense
            add_layer(layers, key, layer, filters)
        if layer.imputed.embedding is not None:
            group = _group(file, embedding_at)
            write_elem(group, f"X_{key}", layer.imputed.embedding, dataset_kwargs=filters)
        uns = _group(file, entry_at)
        write_elem(uns, key, entry)
        if "encoding-type" not in uns.attrs:
            # AnnData 0.7 marks no group as a dict and reads none that is marked.
            for name in ("encoding-type", "encoding-version"):
                del uns[key].attrs[name]


def _group(file: Any, place: str) -> Any:
    name = place.partition("/")[0]
    if name not in file:
        group = file.create_group(name)
        group.attrs.update({"encoding-type": "dict", "encoding-version": "0.1.0"})
    return file[name]


def _add_dense(group: Any, key: str, layer: ImputedLayer, filters: dict[str, Any]) -> None:
    rows, columns = layer.shape
    chunks = (min(rows, max(1, CHUNK // columns)), columns) if filters else None
    data = group.create_dataset(key, layer.shape, layer.options.dtype, chunks=chunks, **filters)
    data.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    for chosen, block in layer.blocks():
        data[chosen] = block


def _add_sparse(group: Any, key: str, layer: ImputedLayer, filters: dict[str, Any]) -> None:
    matrix = group.create_group(key)
    matrix.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
    matrix.attrs["shape"] = np.array(layer.shape, dtype=np.int64)
    chunk = {"chunks": (min(CHUNK, layer.shape[0] * layer.shape[1]),), "maxshape": (None,)}
    parts = {
        name: matrix.create_dataset(name, (0,), dtype, **chunk, **filters)
        for name, dtype in (("data", layer.options.dtype), ("indices", np.int32))
    }
    stored = 0
    ends = [np.zeros(1, dtype=np.int64)]
    for _, block in layer.blocks():
        rows = sp.csr_matrix(block)
        for name, part in parts.items():
            part.resize((stored + rows.nnz,))
            part[stored:] = getattr(rows, name)
        ends.append(stored + rows.indptr[1:].astype(np.int64))
        stored += rows.nnz
    indptr = np.concatenate(ends)
    # SciPy wants both of one type, and AnnData reads them as they are.
    matrix["indptr"] = indptr.astype(np.int32 if stored <= np.iinfo(np.int32).max else np.int64)
