"""Watches what code writes, prints and contacts while it runs in this process."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {
    "os.mkdir": ((0, 2),),
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
    "os.rename": ((0, 2), (1, 3)),
    "os.link": ((0, 2), (1, 3)),
    "os.truncate": ((0, None),),
}
"""Events with the positions of their paths and of the open folders these are relative to."""
_CALLS = {"socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto"}
_LOOPBACK = ("127.", "::1", "localhost")


@dataclass
class Seen:
    """What was noticed."""

    written: list[str] = field(default_factory=list)
    """Paths outside the scratch folder that were opened for writing, made, moved or removed."""
    contacted: list[str] = field(default_factory=list)
    """Hosts that were looked up or called; every such call was refused."""
    scratch: str | None = None


@contextlib.contextmanager
def watched(scratch: Path | None = None) -> Iterator[Seen]:
    """Refuse the network and note writes outside `scratch`, in an empty working folder.

    Python announces what it opens and calls (PEP 578); compiled code and child processes do not,
    and are only caught when they leave something in the working folder.
    """
    _install()
    seen = Seen(scratch=None if scratch is None else os.path.realpath(scratch))
    with tempfile.TemporaryDirectory(prefix="impbench-") as folder, contextlib.chdir(folder):
        _watching.append(seen)
        try:
            yield seen
        finally:
            _watching.remove(seen)
        left = sorted(Path(folder).rglob("*"))
        known = set(seen.written)
        seen.written += [text for text in map(str, left) if text not in known]


_watching: list[Seen] = []


@cache
def _install() -> None:
    """Hook into the interpreter's audit events; this cannot be undone, so it is done once."""
    sys.addaudithook(_notice)


def _notice(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching:
        return
    if event == "open":
        path, _, flags = arguments
        if isinstance(flags, int) and flags & _WRITING:
            _note_path(path)
    elif event in _CHANGES:
        for path, folder in _CHANGES[event]:
            _note_path(arguments[path], -1 if folder is None else arguments[folder])
    elif event in _CALLS:
        _note_host(event, arguments)


def _note_path(path: object, folder: int = -1) -> None:
    if not isinstance(path, str | bytes | os.PathLike):
        return
    text = os.fsdecode(path)
    if folder != -1 and not os.path.isabs(text):
        if not os.path.exists("/proc/self/fd"):
            return
        text = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), text)
    text = os.path.realpath(text)
    # Byte code and Numba's cache: the interpreter's own, next to the source.
    if text.startswith(("/dev/", "/proc/")) or "__pycache__" in text:
        return
    for seen in _watching:
        inside = seen.scratch is not None and Path(text).is_relative_to(seen.scratch)
        if not inside and text not in seen.written:
            seen.written.append(text)


def _note_host(event: str, arguments: tuple[Any, ...]) -> None:
    target = arguments[0]
    if isinstance(target, socket.socket):
        if target.family not in (socket.AF_INET, socket.AF_INET6):
            return
        address = arguments[1]
        target = address[0] if isinstance(address, tuple) else address
    host = os.fsdecode(target) if isinstance(target, bytes) else str(target)
    if host.startswith(_LOOPBACK):
        return
    for seen in _watching:
        seen.contacted.append(host)
    raise OSError(f"the network is closed during this check ({event} {host})")


@dataclass
class Printed:
    """What went to standard output; known once the block has ended."""

    text: str = ""


@contextlib.contextmanager
def captured_stdout() -> Iterator[Printed]:
    """Catch standard output of Python, of compiled code and of child processes."""
    printed = Printed()
    sys.stdout.flush()
    with tempfile.TemporaryFile() as file:
        saved = os.dup(1)
        os.dup2(file.fileno(), 1)
        try:
            with (
                open(os.dup(1), "w", encoding="utf-8", errors="replace") as python,
                contextlib.redirect_stdout(python),
            ):
                yield printed
        finally:
            # Compiled code has a buffer of its own.
            ctypes.CDLL(None).fflush(None)
            os.dup2(saved, 1)
            os.close(saved)
            file.seek(0)
            printed.text = file.read().decode("utf-8", errors="replace")
