"""Where the truth waits: in files without a name, which only the scoring processes inherit.

A worker runs as the same user, so a folder with truth in it could be found by a plugin that looks
around. A file that is deleted while open can only be read by a process that was given it.
"""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from impbench.protocols.protocol import Hidden
from impbench.scale import Matrix

_CHUNK = 2**30
_EXTRA = "extra."


def conceal(hidden: Hidden, folder: Path) -> int:
    """Write `hidden` to a file without a name on the disk of `folder`.

    Returns
    -------
    Its descriptor, open for reading; the caller closes it.
    """
    arrays: dict[str, Any] = {
        name: np.asarray(value, dtype=np.str_)
        for name, value in (("labels", hidden.labels), ("batch", hidden.batch))
        if value is not None
    }
    if hidden.truth_counts is not None and hidden.truth_size_factors is not None:
        arrays["truth_size_factors"] = hidden.truth_size_factors
        arrays.update(_parts("truth", hidden.truth_counts))
    for name, value in hidden.extra.items():
        arrays.update(_parts(_EXTRA + name, value))
    with tempfile.TemporaryFile(dir=folder) as file:
        np.savez(file, **arrays)
        file.flush()
        return os.dup(file.fileno())


def conceal_bytes(contents: bytes, folder: Path) -> int:
    """Do as `conceal` does with what `read_bytes` read, on another machine perhaps."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(contents)
        file.flush()
        return os.dup(file.fileno())


def read_bytes(descriptor: int) -> bytes:
    """Read what `conceal` wrote as it stands; several processes may, at the same time."""
    size, data = os.fstat(descriptor).st_size, io.BytesIO()
    while data.tell() < size:
        # pread: the processes share one descriptor, and so one position in the file.
        data.write(os.pread(descriptor, _CHUNK, data.tell()))
    return data.getvalue()


def reveal(descriptor: int) -> Hidden:
    """Read what `conceal` wrote; several processes may, at the same time."""
    with np.load(io.BytesIO(read_bytes(descriptor)), allow_pickle=False) as stored:
        arrays = dict(stored)
    simple = {
        name: arrays[name] for name in ("truth_size_factors", "labels", "batch") if name in arrays
    }
    names = {name.split("|")[0] for name in arrays if name.startswith(_EXTRA)}
    return Hidden(
        truth_counts=_whole("truth", arrays) if "truth_size_factors" in arrays else None,
        extra={name.removeprefix(_EXTRA): _whole(name, arrays) for name in sorted(names)},
        **simple,
    )


def _parts(name: str, matrix: Matrix) -> dict[str, Any]:
    """Name the arrays that make up a dense or sparse one."""
    if not sp.issparse(matrix):
        array = np.asarray(matrix)
        return {name: array.astype(np.str_) if array.dtype == object else array}
    rows = sp.csr_matrix(matrix)
    parts = {"data": rows.data, "indices": rows.indices, "indptr": rows.indptr}
    return {
        **{f"{name}|{part}": array for part, array in parts.items()},
        f"{name}|shape": np.asarray(rows.shape),
    }


def _whole(name: str, arrays: dict[str, Any]) -> Matrix:
    """Put together again what `_parts` took apart."""
    if f"{name}|data" in arrays:
        parts = tuple(arrays[f"{name}|{part}"] for part in ("data", "indices", "indptr"))
        return sp.csr_matrix(parts, shape=tuple(arrays[f"{name}|shape"]))
    whole: Matrix = arrays[name]
    return whole
