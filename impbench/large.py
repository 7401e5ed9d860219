"""Arrays that are too large for memory lie in a file; to whoever uses them they are arrays.

A million cells × 1 100 genes are 4 GiB in single precision, and a run holds several such matrices:
counts, truth, their logarithms, an imputation. From `LARGE` bytes on each lies in a file without a
name, which goes when the array does, and whoever has walked through some of it lets go of the
memory again (`release`). This file also runs on Python 3.8 with NumPy alone.
"""

from __future__ import annotations

import math
import mmap
import os
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from impbench.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

LARGE = int(os.environ.get("IMPBENCH_LARGE", 2**30))
"""Bytes from which an array lies in a file; the variable ``IMPBENCH_LARGE`` sets another size."""

BLOCK = 2**22
"""Bytes, at about which `some_rows` stops: what memory holds of a large array at a time."""

SMALL = 2**23
"""Bytes up to which `release` keeps what it is given: to ask for it again costs more."""


def empty(shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Return a new array of `shape` with any content, as `numpy.empty` does.

    From `LARGE` bytes on it lies in a file of the folder for temporary files (``TMPDIR``), whose
    room is reserved at once.

    Raises
    ------
    InputError
        If the disk has no room for it.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < LARGE:
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile() as file:
        free = os.fstatvfs(file.fileno())
        if free.f_bavail * free.f_frsize < size:
            raise _no_room(shape, size)
        try:
            # Where room cannot be reserved (macOS), the file grows as it is written.
            reserve = getattr(os, "posix_fallocate", None)
            reserve(file.fileno(), 0, size) if reserve else file.truncate(size)
        except OSError as error:
            raise _no_room(shape, size) from error
        memory = mmap.mmap(file.fileno(), size)
    return np.frombuffer(memory, dtype).reshape(shape)


def _no_room(shape: tuple[int, ...], size: int) -> InputError:
    return InputError(
        f"a matrix of {' × '.join(map(str, shape))} takes {size / 2**30:.3g} GiB of disk, which "
        f"{tempfile.gettempdir()} does not have: make room, or name another folder in TMPDIR"
    )


def like(array: NDArray[Any], dtype: DTypeLike | None = None) -> NDArray[Any]:
    """Return `empty` of the shape of `array`, and of its dtype unless another is named."""
    return empty(array.shape, array.dtype if dtype is None else dtype)


def copy(array: NDArray[Any]) -> NDArray[Any]:
    """Return a copy; of a large array it lies in a file."""
    result = like(array)
    for rows in some_rows(array, result):
        result[rows] = array[rows]
    return result


class _Changeable(mmap.mmap):
    """Memory of a file that may be written to, which the file never sees: nothing lets go of it."""


def map_array(descriptor: int, changeable: bool = False) -> NDArray[Any]:
    """Return the array that `numpy.save` wrote to an open file, left in the file.

    Parameters
    ----------
    descriptor
        Of the file, which the caller may close.
    changeable
        Whether the array may be written to, for whoever holds it alone; else it is read-only.
    """
    if changeable:
        return next_array(_Changeable(descriptor, 0, access=mmap.ACCESS_COPY))
    return next_array(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ))


def next_array(memory: mmap.mmap) -> NDArray[Any]:
    """Return the array that begins at the place in `memory`, which moves on behind it."""
    np.lib.format.read_magic(memory)
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(memory)
    start, size = memory.tell(), math.prod(shape)
    memory.seek(size * dtype.itemsize, os.SEEK_CUR)
    array = np.frombuffer(memory, dtype, size, start)
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)


def some_rows(*arrays: Any) -> Iterator[slice]:
    """Yield ranges of rows that cover the arrays, and let go of each behind itself.

    Parameters
    ----------
    arrays
        Of as many rows each, dense, sparse or anything with a shape.
    """
    n_rows, n_columns = arrays[0].shape[0], math.prod(arrays[0].shape[1:])
    step = max(1, BLOCK // max(1, 4 * n_columns))
    for start in range(0, n_rows, step):
        rows = slice(start, start + step)
        yield rows
        release(*arrays, rows=rows)


def release(*arrays: Any, rows: slice = slice(None)) -> None:
    """Let go of the memory that some rows take, where they lie in a file; values stay.

    Whoever asks for them again gets them from the file, or from what the system keeps of it.
    Arrays in memory, small ones and sparse matrices are left alone.
    """
    for array in arrays:
        memory = _file_behind(array)
        if memory is None or not hasattr(memory, "madvise") or array.nbytes < min(SMALL, LARGE):
            continue
        part = array[rows]
        if not part.size or not part.flags.c_contiguous:
            continue
        whole = np.frombuffer(memory, np.uint8).ctypes.data
        first = part.ctypes.data - whole
        start = first - first % mmap.PAGESIZE
        stop = first + part.nbytes
        if rows.stop is not None and rows.stop < len(array):
            stop -= stop % mmap.PAGESIZE  # The rest of the page is the next rows'.
        if stop > start:
            memory.madvise(mmap.MADV_DONTNEED, start, stop - start)


def _file_behind(array: Any) -> mmap.mmap | None:
    """Return the file's memory that an array is a view of; None of one in memory."""
    if not isinstance(array, np.ndarray) or array.nbytes < mmap.PAGESIZE:
        return None
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, memoryview):
        base = base.obj
    return base if isinstance(base, mmap.mmap) and not isinstance(base, _Changeable) else None
