"""Let a process of its own read an HDF5 file first, since HDF5 itself may crash on a damaged one.

HDF5 2.0.0 (of h5py 3.16) crashed on 5 of 1 000 files in which one to twenty bytes were changed.
Nothing that Python raises stands behind such an end, so no message could name the file.

The program that forks these processes starts with the first file and ends with whoever asked.
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
from impbench.data.hdf5_program import ANSWER, FAILS, UNKNOWN

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
        for _ in range(2):  # the program may have ended a moment ago
            try:
                return _ask(_running_program(), request)
            except EOFError:
                _end_program()
            except OSError:  # no further process, or no further file, can be had
                return UNKNOWN
            except BaseException:
                _end_program()  # or else the next to ask would get this answer
                raise
    return UNKNOWN


def _running_program() -> subprocess.Popen[bytes]:
    global _program
    if _program is None:
        # Packages may come from a folder that only this process knows.
        folders = [folder for folder in sys.path if folder and isinstance(folder, str)]
        _program = subprocess.Popen(
            [sys.executable, "-P", hdf5_program.__file__],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
        )
    return _program


def _ask(program: subprocess.Popen[bytes], request: bytes) -> int:
    assert program.stdin is not None
    assert program.stdout is not None
    try:
        program.stdin.write(request)
        # Python may print as it starts, as a sitecustomize of the user's does.
        while line := program.stdout.readline():
            if line.startswith(ANSWER):
                return int(line.removeprefix(ANSWER))
    except (BrokenPipeError, ValueError):  # the latter where exiting closed the pipes
        pass
    raise EOFError


@atexit.register
def _end_program() -> None:
    global _program
    program, _program = _program, None
    if program is not None:
        program.terminate()
        program.communicate()


def _leave_to_parent() -> None:
    global _program, _asking
    program, _program, _asking = _program, None, threading.Lock()
    if program is not None:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.close()
        program.stdout.close()
        program.returncode = 0  # of no concern here


os.register_at_fork(after_in_child=_leave_to_parent)
