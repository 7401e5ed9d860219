"""HDF5 written to a disk that may run full."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def open_hdf5(path: Path, mode: str) -> Iterator[Any]:
    """Open a file with h5py to write to; it is closed, and on disk, after the block.

    HDF5 cannot close a file whose last writes fail: it complains at length, and may take the whole
    process with it. So the first failure is kept from it, and raised once the file is closed.

    Parameters
    ----------
    mode
        ``w`` for a new file, ``r+`` for one that is there.

    Raises
    ------
    OSError
        If the disk is full, or anything else is wrong with it.
    """
    import h5py

    with path.open("xb+" if mode == "w" else "rb+", buffering=0) as raw:
        disk = _Disk(raw)
        try:
            with h5py.File(disk, mode) as file:
                yield file
        finally:
            if disk.failure is not None:
                raise disk.failure


class _Disk:
    """What h5py asks of a file; after the first failure nothing is written any more."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        self.failure: OSError | None = None
        self.seek, self.tell = raw.seek, raw.tell
        self.read, self.readinto = raw.read, raw.readinto

    def write(self, data: Any) -> None:
        with self._first_failure():
            view = memoryview(data)
            while len(view) and self.failure is None:
                view = view[self.raw.write(view) :]

    def truncate(self, size: int) -> None:
        with self._first_failure():
            if self.failure is None:
                self.raw.truncate(size)

    def flush(self) -> None:
        pass

    @contextmanager
    def _first_failure(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.failure = error
