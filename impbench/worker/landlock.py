"""Restrict, through Linux Landlock, what a process may open, connect to and signal.

The two packages on PyPI are pre-releases, and a worker may run where only NumPy and SciPy are
installed. Constants are those of ``linux/landlock.h``. This file also runs on Python 3.8.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import sys
from collections.abc import Iterable

_CREATE, _ADD, _RESTRICT = 444, 445, 446
"""Numbers of the three system calls, the same on every architecture."""

_EXECUTE, _WRITE_FILE, _READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL = 1 << 14, 1 << 15
_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""Rights on files that are known from an ABI on."""

READ = _EXECUTE | _READ_FILE | READ_DIR
_MAKE_DEVICES = 1 << 6 | 1 << 11
WRITE = _RIGHTS[3] & ~_MAKE_DEVICES
"""All but to make devices, and what devices need."""
DEVICE = _READ_FILE | _WRITE_FILE | _IOCTL
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
"""Rights that a rule on a file, which is no folder, may give."""

_TCP = 0b11
"""To bind to a port and to connect to one, from ABI 4 on."""
_SCOPES = 0b11
"""Abstract sockets and signals of processes outside, from ABI 6 on."""


def abi() -> int:
    """Return the version of Landlock that the kernel offers; 0 where it offers none."""
    if not sys.platform.startswith("linux"):
        return 0
    version: int = _libc().syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    return max(0, version)


def restrict(rules: Iterable[tuple[str, int]], network: bool = False) -> None:
    """Refuse this process and all it starts everything on files that no rule allows.

    What is open already stays open. Processes outside can be neither looked into nor signalled.

    Parameters
    ----------
    rules
        Paths and what is allowed on them and below them; a path that is not there is passed over.
    network
        Whether TCP stays open.

    Raises
    ------
    OSError
        If the kernel refuses, or this process has threads, which would stay free.
    """
    version = abi()
    if len(os.listdir("/proc/self/task")) > 1:
        raise OSError("a process with several threads cannot be shut in")
    known = _RIGHTS[max(since for since in _RIGHTS if since <= version)]
    attributes = struct.pack(
        "QQQ", known, _TCP if version >= 4 and not network else 0, _SCOPES if version >= 6 else 0
    )
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = _call(_CREATE, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0))
    try:
        for path, rights in rules:
            _add(ruleset, path, rights & known)
        forbid_new_privileges()
        _call(_RESTRICT, ruleset, ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def forbid_new_privileges() -> None:
    """Let no program that this process starts gain rights, which the kernel asks for first."""
    set_no_new_privileges = 38
    if _libc().prctl(set_no_new_privileges, 1, 0, 0, 0) != 0:
        raise _failure("no_new_privs")


def _add(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= _ON_FILES
        path_beneath = 1
        # Packed: the structure has no padding.
        rule = struct.pack("=Qi", rights, place)
        _call(_ADD, ruleset, path_beneath, rule, ctypes.c_uint32(0))
    finally:
        # Of /proc it stays open as long as this process lives: when memory is short, the kernel
        # forgets what nobody holds there, and makes it anew, without the rule, when asked again.
        if not path.startswith("/proc/"):
            os.close(place)


def _call(number: int, *arguments: object) -> int:
    result: int = _libc().syscall(number, *arguments)
    if result < 0:
        raise _failure("Landlock")
    return result


def _failure(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
