"""Find or build the environment of a method that asks for packages or an interpreter.

Each is built once, in a temporary folder that is renamed into place under a lock, and kept in the
user's cache under a hash of what was asked for, the interpreter and the platform.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from impbench.cache import CACHE_VARIABLE, cache_of
from impbench.environments.interpreters import BuildError, Failed, Interpreter, find_interpreter
from impbench.environments.lockfile import read_lock
from impbench.imputer import Imputer
from impbench.worker.sandbox import Launch, Limits, run_limited

BUILD_LIMIT = 1800.0
"""Seconds one build may take; a job's own limit starts afterwards."""

ALWAYS = ("numpy", "scipy")
"""What the worker itself imports."""

_DESCRIPTION = "environment.json"
_BUILDING = ".building-"
_LINES = 3
"""How many lines of a failed build its reason quotes; the job's log has them all."""

# What pip and uv say when something is out of reach, as opposed to broken.
_OUT_OF_REACH = re.compile(
    r"No matching distribution found|Could not find a version that satisfies"
    r"|there (?:is|are) no versions? of|not found in the package registry|no wheels with a matching"
    r"|NewConnectionError|ConnectTimeoutError|ReadTimeoutError|Connection refused"
    r"|Network is unreachable|name resolution|dns error|error sending request|Failed to fetch"
    r"|ensurepip is not\s+available|No module named (?:venv|ensurepip)"
)


@dataclass(frozen=True)
class Wish:
    """What an imputer asks for."""

    requires: tuple[str, ...]
    """Packages as pip specifiers, sorted, NumPy and SciPy among them."""
    python: str = ""
    """Versions of the interpreter, such as ``>=3.8,<3.9``; empty means the running one."""
    constraints: tuple[str, ...] = ()
    """Exact versions of whatever gets installed, a line each; empty means the newest that fit."""

    @classmethod
    def of(cls, imputer: type[Imputer]) -> Wish | None:
        """Return what `imputer` asks for; None if the environment of impbench will do.

        Raises
        ------
        BuildError
            If an entry of ``requires`` is not a pip specifier, or the lockfile cannot be read.
        """
        if not imputer.requires and not imputer.requires_python:
            return None
        return replace(cls.newest(imputer), constraints=read_lock(imputer))

    @classmethod
    def newest(cls, imputer: type[Imputer]) -> Wish:
        """Return the same without the lockfile: the newest versions; errors as `of`."""
        try:
            wanted = [Requirement(text) for text in imputer.requires]
        except InvalidRequirement as error:
            reason = f"requires of {imputer.name} holds what is not a pip specifier: {error}"
            raise BuildError(reason, "failed") from error
        named = {canonicalize_name(requirement.name) for requirement in wanted}
        added = [name for name in ALWAYS if name not in named]
        requires = tuple(sorted([*map(str, wanted), *added]))
        return cls(requires, imputer.requires_python)

    def key(self, interpreter: Interpreter) -> str:
        """Hash what determines the environment."""
        determined = [self.requires, interpreter.name, sysconfig.get_platform()]
        if self.constraints:
            determined.append(self.constraints)
        return hashlib.sha256(json.dumps(determined).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Environment:
    """A finished environment."""

    key: str
    """Its hash, which is also the name of its folder."""
    folder: Path
    requires: tuple[str, ...]
    """What it was built for."""
    interpreter: str
    """Such as ``CPython 3.8.18``."""
    packages: Mapping[str, str]
    """Installed packages and their versions."""

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def command(self) -> list[str]:
        """Return how to start its interpreter, with nothing but the given path to import from."""
        safe_path = Version(self.interpreter.split()[-1]) >= Version("3.11")
        return [str(self.python), *(["-P"] if safe_path else [])]

    def variables(self, variables: Mapping[str, str], importable: Path) -> dict[str, str]:
        """Change the environment variables of a process of ours to those of one in here.

        Parameters
        ----------
        importable
            Folder of the packages of ours that may be imported.
        """
        return {
            **variables,
            "PATH": os.pathsep.join([str(self.folder / "bin"), variables.get("PATH", os.defpath)]),
            "PYTHONPATH": str(importable),
            "VIRTUAL_ENV": str(self.folder),
        }

    def versions(self) -> dict[str, str]:
        """Return what a record says of it: hash, interpreter, versions of what was asked for."""
        names: list[str] = [canonicalize_name(Requirement(text).name) for text in self.requires]
        versions = {name: self.packages[name] for name in names if name in self.packages}
        return {"environment": self.key, "interpreter": self.interpreter, **versions}


Built = Mapping[type[Imputer], "Environment | BuildError"]


def build_all(imputers: Iterable[type[Imputer]], announce: Callable[[str], None]) -> Built:
    """Obtain the environment of every imputer that asks for one, each once.

    Parameters
    ----------
    announce
        Called with a text such as ``dca-original (dca==0.3.4)`` before something is built.

    Returns
    -------
    By imputer, the environment or why there is none; imputers that ask for none are left out.
    """
    built: dict[type[Imputer], Environment | BuildError] = {}
    known: dict[Wish, Environment | BuildError] = {}
    for imputer in dict.fromkeys(imputers):
        try:
            wish = Wish.of(imputer)
            if wish is None:
                continue
            if wish not in known:
                known[wish] = _attempt(wish, imputer, announce)
            built[imputer] = known[wish]
        except BuildError as error:
            built[imputer] = error
    return built


def _attempt(
    wish: Wish, imputer: type[Imputer], announce: Callable[[str], None]
) -> Environment | BuildError:
    wanted = ", ".join([*imputer.requires, *([f"Python {wish.python}"] if wish.python else [])])
    try:
        return obtain(wish, announce=lambda: announce(f"{imputer.name} ({wanted})"))
    except BuildError as error:
        return error


def unobtainable(imputer: type[Imputer]) -> str | None:
    """Say why `imputer` has no environment here, as far as a glance tells; None if it may have.

    Nothing is built or downloaded.
    """
    try:
        wish = Wish.of(imputer)
        if wish is not None and shutil.which("uv") is None:
            find_interpreter(wish.python)
    except BuildError as error:
        return str(error)
    return None


def obtain(
    wish: Wish,
    *,
    limit: float = BUILD_LIMIT,
    announce: Callable[[], None] = lambda: None,
    anew: bool = False,
) -> Environment:
    """Return the environment for `wish`, building it if it is not in the cache.

    Whoever asks for it while another process builds it waits for that.

    Parameters
    ----------
    limit
        Seconds the build may take.
    announce
        Called before something is downloaded or built.
    anew
        Build it even if it is in the cache, and replace that one when the new one is complete.

    Raises
    ------
    BuildError
        If it cannot be built; the next call tries again.
    """
    interpreter = find_interpreter(wish.python, announce)
    key = wish.key(interpreter)
    found = None if anew else _read(cache_folder() / key)
    if found is not None:
        return found
    announce()
    try:
        with _locked(key):
            found = None if anew else _read(cache_folder() / key)
            return found or _build(wish, interpreter, key, limit)
    except OSError as error:
        reason = f"cannot write to {cache_folder()}: {error.strerror or error}"
        raise BuildError(f"{reason}; make room, or set {CACHE_VARIABLE}", "failed") from error


def cache_folder() -> Path:
    """Return where environments are kept: under ``IMPBENCH_CACHE``, else the user's cache."""
    return cache_of("environments").resolve()


def cached() -> list[Environment]:
    """Return every finished environment in the cache."""
    folders = sorted(cache_folder().glob("[!.]*/"))
    return [found for folder in folders if (found := _read(folder)) is not None]


def clean() -> int:
    """Delete every environment, the unfinished ones too; return how many bytes that freed.

    One that is being built meanwhile is waited for.
    """
    freed = 0
    for lock in sorted(cache_folder().glob("*.lock")):
        with _locked(lock.stem):
            for folder in (cache_folder() / lock.stem, *_unfinished(lock.stem)):
                freed += size(folder)
                shutil.rmtree(folder, ignore_errors=True)
    return freed


def size(folder: Path) -> int:
    """Return the bytes that the files of `folder` occupy; links count nothing."""
    files = (path for path in folder.rglob("*") if not path.is_symlink() and path.is_file())
    return sum(path.stat().st_size for path in files)


def _read(folder: Path) -> Environment | None:
    """Read a finished environment; None where there is none, or its interpreter is gone."""
    try:
        facts = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))
    except OSError:
        return None
    found = Environment(
        key=folder.name,
        folder=folder,
        requires=tuple(facts["requires"]),
        interpreter=facts["interpreter"],
        packages=facts["packages"],
    )
    return found if found.python.exists() else None


def _build(wish: Wish, interpreter: Interpreter, key: str, limit: float) -> Environment:
    """Build under the lock of `key`; what an earlier, killed build left is removed."""
    folder = cache_folder() / key
    for leftover in _unfinished(key):
        shutil.rmtree(leftover, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f"{_BUILDING}{key}-", dir=cache_folder()))
    try:
        log = _run_build(wish, interpreter, work, folder, limit)
        (work / "environment" / "build.log").write_text(log, encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        (work / "environment").rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    built = _read(folder)
    assert built is not None
    return built


def _run_build(wish: Wish, interpreter: Interpreter, work: Path, final: Path, limit: float) -> str:
    """Run the build in `work`; return what it printed."""
    request: dict[str, Any] = {
        "folder": str(work / "environment"),
        "final": str(final),
        "python": str(interpreter.path),
        "interpreter": interpreter.name,
        "requires": wish.requires,
        "constraints": wish.constraints,
        "uv": shutil.which("uv"),
    }
    (work / "request.json").write_text(json.dumps(request), encoding="utf-8")
    outcome = run_limited(
        [sys.executable, "-P", "-m", "impbench.environments.build", str(work / "request.json")],
        Launch(work.name, cwd=work, env=os.environ, log=work / "log"),
        Limits(limit),
        stop=threading.Event(),
    )
    log = (work / "log").read_text(encoding="utf-8", errors="replace")
    what = f"the environment ({', '.join(wish.requires)}; {interpreter.name})"
    if outcome.ended == "timeout":
        raise BuildError(f"building {what} took longer than {limit:g} s; stopped", "failed", log)
    if outcome.status != 0:
        status: Failed = "unavailable" if _OUT_OF_REACH.search(log) else "failed"
        raise BuildError(f"{what} could not be built: {_last_lines(log)}", status, log)
    return log


def _last_lines(log: str) -> str:
    """Quote the lines in which pip or uv say what went wrong, else the very last ones.

    Which versions there are, and which pip passed over, can be hundreds: the log has them.
    """
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [
        re.sub(r" \(from versions: .*\)", "", line)
        for line in lines
        if re.match(
            r"(ERROR|error|×|╰─▶|hint):? (?!Ignored the following versions|ResolutionImpossible)"
            r"|The user requested ",
            line,
        )
    ]
    return " / ".join((errors or lines)[-_LINES:])


def _unfinished(key: str) -> list[Path]:
    return list(cache_folder().glob(f"{_BUILDING}{key}-*"))


@contextlib.contextmanager
def _locked(key: str) -> Iterator[None]:
    """Wait until nobody else builds `key`; the system lifts the lock of a process that dies."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / f"{key}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
