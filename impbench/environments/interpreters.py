"""Find Python interpreters on this machine, for methods that need another one than ours."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from impbench.errors import ImpbenchError

OLDEST = "3.8"
"""The oldest Python that the worker's few files run on."""

DOWNLOAD_LIMIT = 600.0
"""Seconds uv may take to download an interpreter."""

Failed = Literal["unavailable", "failed"]
"""Why a method has no environment: something is out of reach, or something is wrong."""

_ASK = (
    "import json, platform, sys; "
    "print(json.dumps([sys.executable, platform.python_implementation(), "
    "platform.python_version()]))"
)


class BuildError(ImpbenchError):
    """An environment cannot be had.

    Attributes
    ----------
    status
        ``unavailable`` where the network, a version or an interpreter is missing, else ``failed``.
    log
        Everything that was printed on the way.
    """

    def __init__(self, reason: str, status: Failed, log: str = "") -> None:
        super().__init__(reason, status, log)
        self.status = status
        self.log = log

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class Interpreter:
    """One Python."""

    path: Path
    implementation: str
    version: str
    """Such as ``3.8.18``."""

    @property
    def name(self) -> str:
        """Such as ``CPython 3.8.18``."""
        return f"{self.implementation} {self.version}"


def find_interpreter(wanted: str, announce: Callable[[], None] = lambda: None) -> Interpreter:
    """Return the running interpreter if it fits, else the newest on this machine that does.

    Looked through are PATH and pyenv's versions; if none fits and uv is there, uv downloads one.

    Parameters
    ----------
    wanted
        Version specifier such as ``>=3.8,<3.11``; empty means any.
    announce
        Called before a download.

    Raises
    ------
    BuildError
        If there is none, or `wanted` is not a version specifier.
    """
    try:
        specifier = SpecifierSet(wanted)
    except InvalidSpecifier as error:
        reason = f"requires_python {wanted!r} is not a version specifier such as '>=3.8,<3.11'"
        raise BuildError(reason, "failed") from error
    specifier &= SpecifierSet(f">={OLDEST}")
    ours = Interpreter(
        Path(sys.executable), platform.python_implementation(), platform.python_version()
    )
    if specifier.contains(ours.version, prereleases=True):
        return ours
    return newest_installed(specifier) or _download(wanted, specifier, announce)


def lack(wanted: str) -> str:
    """Say what to do where no interpreter fits `wanted`."""
    return (
        f"needs Python {wanted} (and {OLDEST} or newer), but none is on PATH or among pyenv's "
        "versions: install one, or pip install uv, which fetches it"
    )


def newest_installed(specifier: SpecifierSet) -> Interpreter | None:
    """Return the newest CPython on PATH or among pyenv's versions that fits and starts."""
    likely = {path.resolve(): path for path, minor in _candidates() if _may_fit(minor, specifier)}
    answers = [answer for path in likely.values() if (answer := _ask(path)) is not None]
    fitting = [
        answer
        for answer in answers
        if answer.implementation == "CPython" and specifier.contains(answer.version)
    ]
    return max(fitting, key=lambda found: Version(found.version), default=None)


def _candidates() -> Iterator[tuple[Path, str]]:
    """Yield interpreters, and the minor version that a name or folder gives away, or nothing."""
    for folder in os.get_exec_path():
        for path in sorted(Path(folder).glob("python3*")):
            if named := re.fullmatch(r"python3(?:\.(\d+))?", path.name):
                yield path, named[1] or ""
    root = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    for path in sorted(root.glob("versions/3.*/bin/python3")):
        yield path, path.parts[-3].split(".")[1]


def _may_fit(minor: str, specifier: SpecifierSet) -> bool:
    """Whether to ask at all: starting an interpreter takes a while."""
    return not minor or any(specifier.contains(f"3.{minor}.{micro}") for micro in range(50))


@lru_cache
def _ask(path: Path) -> Interpreter | None:
    """Start the interpreter and ask what it is; None if it does not start."""
    try:
        reply = subprocess.run(
            [path, "-I", "-c", _ASK], capture_output=True, timeout=20, check=True, text=True
        )
        executable, implementation, version = json.loads(reply.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return Interpreter(Path(executable), implementation, version)


def _download(wanted: str, specifier: SpecifierSet, announce: Callable[[], None]) -> Interpreter:
    """Let uv fetch an interpreter that fits."""
    reason = lack(wanted)
    uv = shutil.which("uv")
    if uv is None:
        raise BuildError(reason, "unavailable")
    announce()
    log = ""
    for action in ("install", "find"):
        try:
            reply = subprocess.run(
                [uv, "python", action, str(specifier)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=DOWNLOAD_LIMIT,
            )
        except subprocess.TimeoutExpired as error:
            reason = f"{reason}; uv took longer than {DOWNLOAD_LIMIT:g} s"
            raise BuildError(reason, "unavailable", log) from error
        log += reply.stdout + reply.stderr
        if reply.returncode != 0:
            raise BuildError(f"{reason}; uv found none either", "unavailable", log)
    found = _ask(Path(reply.stdout.strip()))
    if found is None or not specifier.contains(found.version):
        raise BuildError(f"{reason}; what uv offers does not start", "unavailable", log)
    return found
