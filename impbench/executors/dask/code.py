"""Compare the code of two machines: versions, and hashes of the sources."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

from impbench.environments.package_links import located
from impbench.version import __version__

CORE = "impbench"


def code_of(modules: Iterable[str]) -> dict[str, str]:
    """Describe impbench and the packages of `modules`, as installed here.

    Returns
    -------
    By name, the version or a hash of the sources; ``missing`` where there is none.
    """
    described = {name: _hash(name) for name in dict.fromkeys([CORE, *modules])}
    return described | {CORE: f"{__version__} (sources {described[CORE]})"}


def probe(modules: Iterable[str]) -> Callable[[], dict[str, str]]:
    """Return a function that calls `code_of` on another machine, which may lack impbench."""
    wanted = tuple(modules)

    # Defined in here, a function travels whole; others travel by name.
    def describe() -> dict[str, str]:
        try:
            from impbench.executors.dask.code import code_of
        except ImportError:
            return {"impbench": "missing"}
        return code_of(wanted)

    return describe


def difference(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """Say how the code over there differs from ours; empty where it does not."""
    different = [
        f"{name} is {there.get(name, 'missing')}, here it is {code}"
        for name, code in here.items()
        if there.get(name) != code
    ]
    # Without the same impbench nothing else can be told.
    return "; ".join(different[:1] if there.get(CORE) != here[CORE] else different)


@cache
def _hash(module: str) -> str:
    """Hash the sources of the package that `module` is, or is in; of its file, if it is in none."""
    spec = located(module)
    if spec is None or spec.origin is None:
        return "missing"
    origin = Path(spec.origin)
    inside = spec.submodule_search_locations is not None or "." in module
    files = sorted(origin.parent.rglob("*")) if inside else [origin]
    digest = hashlib.sha256()
    for file in files:
        if file.suffix in _SOURCES and file.is_file():
            digest.update(f"{file.relative_to(origin.parent).as_posix()}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


_SOURCES = {".py", ".R", ".r", ".toml"}
