"""The program that forks a process for each HDF5 file it is asked to read; see hdf5_trial.py.

It runs by its path, so it imports nothing of impbench.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import sys
from typing import Any

HOLDS, FAILS, UNKNOWN = 0, 3, 4
"""Exit status where all could be read, where h5py raised an error, and where neither is known."""

ANSWER = b"impbench read it: "
"""What an answer begins with: Python itself may print, too."""

_MUCH = 2**26
"""Bytes of one array of numbers up to which it is read whole, and else in parts of that size."""

_SECONDS, _PACE = 20, 2e7
"""How long one part may take: so many seconds, and one more for so many bytes of the file."""


def serve() -> None:
    """Answer every line of stdin, a path and whether to read all, with the status of a fork."""
    child = None

    def end(*_: Any) -> None:
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        os._exit(0)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asks ends this program
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # whoever starts this may ignore it
    _import_h5py()
    while line := sys.stdin.readline():
        path, whole = json.loads(line)
        child = os.fork()
        if child == 0:
            _read_and_end(path, whole)
        status = os.waitpid(child, 0)[1]
        child = None
        os.write(1, b"%s%d\n" % (ANSWER, os.waitstatus_to_exitcode(status)))


def _import_h5py() -> None:
    import h5py  # noqa: F401

    with contextlib.suppress(ImportError):
        import hdf5plugin  # noqa: F401  # once imported, HDF5 knows its filters


def _read_and_end(path: str, whole: bool) -> None:
    status = UNKNOWN
    try:
        for number in (signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        status = try_reading(path, whole)
    finally:
        os._exit(status)


def try_reading(path: str, whole: bool) -> int:
    """Read a file part by part, and return the status with which the process shall end."""
    import h5py

    failed = False
    file_size = os.path.getsize(path)
    seconds = _SECONDS + int(file_size / _PACE)

    def read(_: str, item: Any) -> None:
        nonlocal failed
        signal.alarm(seconds)
        _read_attributes(item)
        try:
            if isinstance(item, h5py.Dataset):
                _read_array(item, whole, file_size)
        except TypeError:
            pass  # of a type that h5py does not know, which sound files may have
        except Exception:  # another part may crash all the same
            failed = True

    try:
        with h5py.File(path, "r") as file:
            read("/", file)
            file.visititems(read)
    except Exception:
        failed = True
    return FAILS if failed else HOLDS


def _read_attributes(item: Any) -> None:
    # One may have a type that h5py does not know, in a sound file too.
    with contextlib.suppress(Exception):
        for name in item.attrs:
            with contextlib.suppress(Exception):
                item.attrs[name]


def _read_array(item: Any, whole: bool, file_size: int) -> None:
    if item.shape is None or item.external or item.is_virtual:
        return
    if item.shape == ():
        item[()]
        return
    row = math.prod([item.dtype.itemsize, *map(int, item.shape[1:])])
    size = row * int(item.shape[0])
    if size > os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"):
        raise MemoryError
    if size > _MUCH and not whole and (item.dtype.kind in "biufc" or size > file_size):
        return
    step = max(1, _MUCH // max(1, row))
    starts = range(0, item.shape[0], step)
    # Most of what claims so much more than a file can hold compressed was never written.
    for start in starts if size < 2000 * file_size else {starts[0], starts[-1]}:
        item[start : start + step]


if __name__ == "__main__":
    serve()
