"""Pass matrices between processes as plain .npy files in a folder, never as pickles.

Only NumPy and SciPy are needed, because the worker may run in an environment with nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from impbench import large, scale
from impbench.imputer import Imputed, Observed
from impbench.scale import Matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray


_SMALL = 2**20
"""Bytes below which a file is read rather than mapped."""

LOGS = "lognorm.npy"
"""File of a view's log values, for all who are shown it; without it each takes its own."""

_SPARSE = ("data", "indices", "indptr", "shape")
"""Parts of a matrix of sparse rows."""


def save_matrix(folder: Path, name: str, matrix: Matrix) -> None:
    """Write ``name.npy`` (dense) or ``name.{data,indices,indptr,shape}.npy`` (sparse rows)."""
    if sp.issparse(matrix):
        rows = sp.csr_matrix(matrix)
        for part in _SPARSE:
            np.save(folder / f"{name}.{part}.npy", np.asarray(getattr(rows, part)))
    else:
        np.save(folder / f"{name}.npy", np.asarray(matrix))
        large.release(matrix)


def load_matrix(arrays: Mapping[str, NDArray[Any]], name: str) -> Matrix | None:
    """Put together what `save_matrix` wrote; None when nothing was.

    Parameters
    ----------
    arrays
        By name of their file.
    """
    if f"{name}.npy" in arrays:
        return arrays[f"{name}.npy"]
    if f"{name}.data.npy" in arrays:
        data, indices, indptr, shape = (arrays[f"{name}.{part}.npy"] for part in _SPARSE)
        return sp.csr_matrix((data, indices, indptr), shape=tuple(shape))
    return None


def save_observed(folder: Path, observed: Observed) -> None:
    """Write everything an imputer may see."""
    save_matrix(folder, "counts", observed.counts)
    np.save(folder / "size_factors.npy", observed.size_factors)
    names = {
        "genes": observed.gene_names,
        "cells": observed.cell_names,
        "batch": None if observed.batch is None else observed.batch.tolist(),
        "n_groups": observed.n_groups,
    }
    (folder / "names.json").write_text(json.dumps(names), encoding="utf-8")


def save_logs(folder: Path, observed: Observed) -> None:
    """Write ``observed.lognorm`` beside what `save_observed` wrote, some cells at a time."""
    counts, factors = observed.counts, observed.size_factors
    with (folder / LOGS).open("wb") as file:
        kind = np.dtype(np.float32).str
        header = {"descr": kind, "fortran_order": False, "shape": counts.shape}
        np.lib.format.write_array_header_1_0(file, header)
        for cells in large.some_rows(counts):
            file.write(scale.lognorm(counts[cells], factors[cells]).data)


def map_observed(folder: Path) -> Observed:
    """Read what `save_observed` wrote; large arrays stay on disk, read-only."""
    arrays = {path.name: _mapped(path) for path in folder.glob("*.npy")}
    return _observed((folder / "names.json").read_text(encoding="utf-8"), arrays)


def read_observed(files: Mapping[str, int]) -> Observed:
    """Read what `save_observed` wrote from open files, by name, and close them."""
    arrays, names = {}, "{}"
    for name, descriptor in files.items():
        with os.fdopen(descriptor, "rb") as file:
            size = os.fstat(descriptor).st_size
            if name.endswith(".npy") and size > _SMALL:
                arrays[name] = large.map_array(descriptor, changeable=size < large.LARGE)
            elif name.endswith(".npy"):
                arrays[name] = np.load(file, allow_pickle=False)
            else:
                names = file.read().decode("utf-8")
    return _observed(names, arrays)


def _observed(text: str, arrays: Mapping[str, NDArray[Any]]) -> Observed:
    names, counts = json.loads(text), load_matrix(arrays, "counts")
    if counts is None:
        raise FileNotFoundError("there are no counts")
    observed = Observed(
        counts=counts,
        size_factors=arrays["size_factors.npy"],
        gene_names=tuple(names["genes"]),
        cell_names=tuple(names["cells"]),
        batch=None if names["batch"] is None else np.asarray(names["batch"], dtype=np.str_),
        n_groups=names["n_groups"],
    )
    if LOGS in arrays:
        vars(observed)["lognorm"] = arrays[LOGS]  # What the property would compute, and keep.
    return observed


def save_imputed(folder: Path, imputed: Imputed) -> None:
    """Write what an imputer returned; floating values as float32."""
    for name in ("expression", "std", "embedding"):
        array = getattr(imputed, name)
        if array is not None:
            np.save(folder / f"{name}.npy", np.asarray(array, dtype=np.float32))
            large.release(array)
    facts = {"scale": imputed.scale, "info": imputed.info}
    (folder / "imputed.json").write_text(json.dumps(facts, default=str), encoding="utf-8")


def load_imputed(folder: Path) -> Imputed:
    """Read what `save_imputed` wrote; arrays are memory maps, read-only."""
    facts = json.loads((folder / "imputed.json").read_text(encoding="utf-8"))
    arrays = {
        name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        for name in ("expression", "std", "embedding")
        if (folder / f"{name}.npy").exists()
    }
    return Imputed(**arrays, scale=facts.get("scale"), info=facts["info"])


def observed_hash(observed: Observed) -> str:
    """SHA-256 of what the imputer sees: equal views need only one imputation."""
    digest = hashlib.sha256()
    for block in _bytes(observed):
        digest.update(block)
    return digest.hexdigest()[:16]


def _bytes(observed: Observed) -> Iterator[bytes]:
    counts = observed.counts
    parts = (counts.data, counts.indices, counts.indptr) if sp.issparse(counts) else (counts,)
    for array in (*parts, observed.size_factors):
        for rows in large.some_rows(array):
            yield np.ascontiguousarray(array[rows]).tobytes()
    yield "\0".join(observed.gene_names).encode()
    if observed.batch is not None:
        yield "\0".join(observed.batch).encode()
    yield str(observed.n_groups).encode()


def _mapped(path: Path) -> NDArray[Any]:
    if path.stat().st_size > _SMALL:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False)).view(np.ndarray)
    return np.load(path, allow_pickle=False)  # type: ignore[no-any-return]
