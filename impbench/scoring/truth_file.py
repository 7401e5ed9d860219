"""Keep the truth in files without a name, which only scoring processes inherit.

A worker runs as the same user, so a folder with truth in it could be found by a plugin that looks
around. A file that is deleted while open can only be read by a process that was given it.
"""

from __future__ import annotations

import contextlib
import io
import mmap
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from impbench import large
from impbench.protocols.protocol import Hidden
from impbench.scale import Matrix

_ALIGNMENT = 64
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
    with _nameless(folder) as (file, descriptor):
        for array in (np.asarray(list(arrays), dtype=np.str_), *arrays.values()):
            # Each begins where an array in memory might, or compiled code could not take it.
            file.seek(-file.tell() % _ALIGNMENT, os.SEEK_CUR)
            np.save(file, np.ascontiguousarray(array), allow_pickle=False)
            large.release(array)
    return descriptor


def conceal_bytes(contents: bytes, folder: Path) -> int:
    """Do as `conceal` does with what `read_bytes` read, on another machine perhaps."""
    with _nameless(folder) as (file, descriptor):
        file.write(contents)
    return descriptor


@contextlib.contextmanager
def _nameless(folder: Path) -> Iterator[tuple[IO[bytes], int]]:
    """Make a file whose name is gone at once, and a descriptor of it for reading alone."""
    writing, name = tempfile.mkstemp(dir=folder)
    with os.fdopen(writing, "wb") as file:
        reading = os.open(name, os.O_RDONLY)
        os.unlink(name)
        yield file, reading


def read_bytes(descriptor: int) -> bytes:
    """Read what `conceal` wrote as it stands; several processes may, at the same time."""
    size, data = os.fstat(descriptor).st_size, io.BytesIO()
    while data.tell() < size:
        # pread: the processes share one descriptor, and so one position in the file.
        data.write(os.pread(descriptor, _CHUNK, data.tell()))
    return data.getvalue()


def reveal(descriptor: int) -> Hidden:
    """Map what `conceal` wrote; several processes may, and share the memory; read-only."""
    memory = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    names = [str(name) for name in _next_array(memory)]
    arrays = {name: _next_array(memory) for name in names}
    simple = {
        name: arrays[name] for name in ("truth_size_factors", "labels", "batch") if name in arrays
    }
    extra = {name.split("|")[0] for name in arrays if name.startswith(_EXTRA)}
    return Hidden(
        truth_counts=_whole("truth", arrays) if "truth_size_factors" in arrays else None,
        extra={name.removeprefix(_EXTRA): _whole(name, arrays) for name in sorted(extra)},
        **simple,
    )


def _next_array(memory: mmap.mmap) -> NDArray[Any]:
    """Return the array that begins at or after the place in `memory`, which moves on behind it."""
    memory.seek(-memory.tell() % _ALIGNMENT, os.SEEK_CUR)
    return large.next_array(memory)


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
