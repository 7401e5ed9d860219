"""Find and end processes that a method left behind after its worker ended (Linux).

A worker adopts the orphans of its tree, and a filter keeps the method from changing that. When the
worker ends before them, the kernel hands them to the nearest ancestor that adopts: the runner.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

from impbench.worker.fork_server import children, end_children

started: weakref.WeakSet[subprocess.Popen[bytes]] = weakref.WeakSet()
"""Processes that were started on purpose."""

_SET_CHILD_SUBREAPER, _GET_CHILD_SUBREAPER = 36, 37


class _Adoption:
    """Whether this process adopts: from when the first asks for it until the last has done."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.before = ctypes.c_int()

    def begin(self) -> None:
        with self.lock:
            if not self.users:
                libc = ctypes.CDLL(None)
                libc.prctl(_GET_CHILD_SUBREAPER, ctypes.byref(self.before), 0, 0, 0)
                libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            self.users += 1

    def end(self) -> None:
        with self.lock:
            self.users -= 1
            if not self.users:
                ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, self.before.value, 0, 0, 0)


_adoption = _Adoption()


@contextlib.contextmanager
def adopting() -> Iterator[None]:
    """Have orphans of all descendants become children of this process; threads may overlap."""
    if not sys.platform.startswith("linux"):
        yield
        return
    _adoption.begin()
    try:
        yield
    finally:
        end_orphans()
        _adoption.end()


def end_orphans() -> None:
    """Kill children of this process that stand behind a worker's filter and were not started here.

    Children of a user's own program, in which a run may take place, have no such filter.
    """
    # Whoever is ended may leave children of its own, which then come to us.
    while found := _strangers():
        end_children(found)


def _strangers() -> list[int]:
    ours = {process.pid for process in list(started) if process.returncode is None}
    own = _filters(os.getpid())
    return [pid for pid in children() if pid not in ours and _filters(pid) > own]


def _filters(pid: int) -> int:
    """Return how many filters of system calls a process stands behind; 0 where nobody tells."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("Seccomp_filters:"):
                return int(line.split()[1])
    return 0
