"""Let a process of its own read an HDF5 file first, since HDF5 itself may crash on a damaged one.

HDF5 2.0.0 (of h5py 3.16) crashed on 5 of 1 000 files in which one to twenty bytes were changed.
Nothing that Python raises stands behind such an end, so no message could name the file.

The program that forks these processes starts with the first file and ends when it is not asked.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from impbench.data import hdf5_program
from impbench.data.hdf5_program import FAILS, UNKNOWN

_CRASHES = {
    -s for s in (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL)
}


def survives(path: Path) -> bool:
    """Whether a process can read the names, texts and small arrays of a file and go on.

    A process to which h5py raises an error survives: the reading proper will say which. One
    that comes to no end with a part does not.
    """
    return attempt(path, whole=False) not in {*_CRASHES, -signal.SIGALRM}


def is_whole(path: Path) -> bool:
    """Whether HDF5 can read every part of a file, whatever the parts may mean."""
    return attempt(path, whole=True) not in {*_CRASHES, -signal.SIGALRM, FAILS}


_program: subprocess.Popen[bytes] | None = None
_asking = threading.Lock()


def attempt(path: Path, whole: bool) -> int:
    """Return the exit status of a process that reads a file; any other than these says nothing."""
    request = json.dumps([os.path.abspath(path), whole]).encode() + b"\n"
    with _asking:
        for _ in range(2):  # it may have ended a moment ago
            try:
                if answer := _ask(request):
                    return int(answer)
            except BrokenPipeError:
                pass
            except BaseException:
                _end_program()  # or else the next to ask would get this answer
                raise
            _end_program()
    return UNKNOWN


def _ask(request: bytes) -> bytes:
    global _program
    if _program is None:
        # Packages may come from a folder that only this process knows.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        _program = subprocess.Popen(
            [sys.executable, "-P", hdf5_program.__file__],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
    assert _program.stdin is not None
    assert _program.stdout is not None
    _program.stdin.write(request)
    return _program.stdout.readline()


@atexit.register
def _end_program() -> None:
    global _program
    if _program is not None:
        _program.terminate()
        _program.communicate()
        _program = None


def _leave_to_parent() -> None:
    global _program, _asking
    _program, _asking = None, threading.Lock()


os.register_at_fork(after_in_child=_leave_to_parent)
