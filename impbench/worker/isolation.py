"""Shut a process in: limit what it can reach, and for good.

By default nothing: walls let through Python and its packages, the system's programs, and what is
listed. The worker puts them up around itself before it imports a method, or, where it forked from
a process that serves our own methods, before it is given data. This file also runs on Python 3.8.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import glob
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from impbench.worker import landlock, seccomp

OURS = ("impbench", "impbench_plugins", "impbench_datasets")

_SYSTEM = (
    *("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/usr", "/opt", "/etc", "/sys"),
    *("/nix/store", "/gnu/store", "/var/cache/fontconfig"),
)
_HOME = (
    *("~/.local", "~/R", "~/.julia"),
    *("~/.cache/matplotlib", "~/.config/matplotlib", "~/.cache/torch"),
)
"""Packages of the user's own, and caches that are read; none is written to."""
_PROC = ("cpuinfo", "filesystems", "loadavg", "meminfo", "stat", "sys", "uptime", "version", "self")
"""Below ``/proc``: of processes only the worker's own, so that no other's arguments are seen."""
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_GPU = ("/dev/nvidia*", "/dev/dri", "/dev/kfd", "/proc/driver", "/proc/devices", "/proc/modules")
_EDITABLE = tuple(
    path
    for name, finder in list(sys.modules.items())
    if name.startswith("__editable__")
    for path in getattr(finder, "MAPPING", {}).values()
)
"""Packages that are installed to be edited lie wherever their author works.

Python has found them before it runs anything else. Looking is not left to each fork, since a look
at every module copies a page of memory for most of them.
"""
_SEARCH_PATHS = ("LD_LIBRARY_PATH", "PYTHONPATH", "R_LIBS", "R_LIBS_USER", "R_LIBS_SITE", "R_HOME")


def in_force() -> str:
    """Name what keeps workers of this process apart from it: for manifest and page.

    Returns
    -------
    ``landlock ABI n`` where the kernel has it; else ``same user`` where the system at least
    refuses one process of a user to look into another that asked for that; else ``none``.
    """
    if version := landlock.abi():
        return f"landlock ABI {version}"
    linux = sys.platform.startswith("linux")
    return "same user" if linux and os.geteuid() != 0 else "none"


def make_unreadable(yes: bool = True) -> None:
    """Have the system refuse other processes of the same user a look into this one (Linux).

    It is asked only where Landlock does not do that already: debuggers are refused too.
    """
    set_dumpable = 4
    if sys.platform.startswith("linux") and not landlock.abi():
        ctypes.CDLL(None).prctl(set_dumpable, 0 if yes else 1, 0, 0, 0)


@contextlib.contextmanager
def unreadable() -> Iterator[None]:
    """Do as `make_unreadable` for a while."""
    make_unreadable()
    try:
        yield
    finally:
        make_unreadable(False)


def shut_in(walls: dict[str, Any]) -> None:
    """Put up walls around this process, for good, as far as the kernel can.

    Parameters
    ----------
    walls
        ``readable`` and ``writable``: paths that are let through besides Python and the system;
        ``hidden``: paths that are not, wherever they lie; ``module``: of the method; ``gpu``
        and ``network``: whether it may use one.

    Raises
    ------
    OSError
        If the kernel knows how and refuses.
    """
    if landlock.abi():
        landlock.restrict(_rules(walls), walls["network"])
    if seccomp.known():
        try:
            landlock.forbid_new_privileges()
            seccomp.restrict(walls["network"])
        except OSError as error:
            # A kernel that was built without it.
            if error.errno not in (errno.EINVAL, errno.ENOSYS):
                raise


def _rules(walls: dict[str, Any]) -> Iterator[tuple[str, int]]:
    hidden = [os.path.realpath(path) for path in walls["hidden"]]
    readable = [*_SYSTEM, *map(os.path.expanduser, _HOME), *_python(walls["module"])]
    for path in dict.fromkeys(map(os.path.realpath, [*readable, *walls["readable"]])):
        yield from _around(path, hidden)
    for path in walls["writable"]:
        yield path, landlock.WRITE
    for name in _PROC:
        yield f"/proc/{name}", landlock.READ
    for device in _DEVICES:
        yield device, landlock.DEVICE
    if walls["gpu"]:
        for pattern in _GPU:
            for path in glob.glob(pattern):
                yield path, landlock.READ | landlock.DEVICE


def _around(path: str, hidden: list[str]) -> Iterator[tuple[str, int]]:
    """Let `path` through, but nothing hidden below it; the names there can be seen."""
    if path in hidden:
        return
    if not any(place.startswith(path.rstrip("/") + "/") for place in hidden):
        yield path, landlock.READ
        return
    yield path, landlock.READ_DIR
    try:
        names = os.listdir(path)
    except OSError:
        return
    for name in names:
        yield from _around(os.path.realpath(os.path.join(path, name)), hidden)


def _python(module: str) -> Iterable[str]:
    """Return where Python, its packages and those of the method lie."""
    found = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix, *sys.path]
    for variable in _SEARCH_PATHS:
        found += os.environ.get(variable, "").split(os.pathsep)
    for name in (*OURS, module.partition(".")[0]):
        found += _package(name)
    return [path for path in [*found, *_EDITABLE] if os.path.isabs(path) and os.path.exists(path)]


def _package(name: str) -> list[str]:
    """Return the folders or the file of a top-level package or module, without importing it."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    folders = spec.submodule_search_locations
    return list(folders) if folders is not None else [spec.origin or ""]
