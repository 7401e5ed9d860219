"""Impute inside the walls: build the imputer, read what may be seen, impute, write.

Nothing here measures: what an imputation costs is read from outside. This file and what it imports
also run on Python 3.8, with NumPy and SciPy alone.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from impbench.errors import UnavailableError
from impbench.imputer import Context, Imputed, Imputer
from impbench.per_batch import class_taking
from impbench.plugin_file import file_spec
from impbench.worker.exchange import read_observed, save_imputed

_OF_EVERY_IMPUTER = ("numpy", "scipy")
"""What `impbench.imputer` itself needs."""


class Standby:
    """An imputer that is built and prepared, kept for requests that ask for the same one."""

    def __init__(self) -> None:
        self._reference: dict[str, Any] | None = None
        self._imputer: Imputer | None = None

    def has(self, request: Mapping[str, Any]) -> bool:
        """Return whether nothing is left to be done for `request`."""
        return bool(self._reference == request["imputer"])

    def get_ready(self, request: Mapping[str, Any]) -> Imputer:
        """Return the imputer that `request` asks for, prepared.

        Raises
        ------
        UnavailableError
            If it lacks something on this machine.
        """
        if not self.has(request):
            self._reference = None
            self._imputer = build_imputer(request["imputer"])
            if lack := type(self._imputer).unavailable():
                raise UnavailableError(lack)
            self._imputer.prepare(_contexts(request)[0])
            _versions(self._imputer, [])  # looked up once, for all forks
            self._reference = request["imputer"]
        assert self._imputer is not None
        return self._imputer


def impute(
    imputer: Imputer, request: Mapping[str, Any], files: Mapping[str, int], folder: Path
) -> None:
    """Impute for every seed asked for, into ``seed-N`` of `folder`; then write ``done.json``.

    Parameters
    ----------
    files
        What `impbench.worker.exchange.save_observed` wrote, open, by name.
    """
    observed = read_observed(files)
    contexts = _contexts(request)
    results = list(imputer.impute_many(observed, contexts))
    if len(results) != len(contexts):
        raise ValueError(f"impute_many returned {len(results)} results for {len(contexts)} seeds")
    for seed, result in zip(request["seeds"], results):  # noqa: B905 (Python 3.8)
        if not isinstance(result, Imputed):
            raise TypeError(f"impute must return impbench.Imputed, got {type(result).__name__}")
        result.must_hold(imputer.gives)
        output = folder / f"seed-{seed}"
        output.mkdir()
        save_imputed(output, result)
    write_json(folder / "done.json", {"versions": _versions(imputer, results)})


def build_imputer(reference: Mapping[str, Any]) -> Imputer:
    """Import the class a reference names and construct it with its parameters."""
    if reference["file"]:
        spec = file_spec(reference["module"], Path(reference["file"]))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[reference["module"]] = module
        spec.loader.exec_module(module)
    else:
        module = importlib.import_module(reference["module"])
    target: Any = module
    for part in reference["class"].split("."):
        target = getattr(target, part)
    parameters = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in reference["params"].items()
    }
    if not isinstance(target, type) or not issubclass(target, Imputer):
        raise TypeError(f"{reference['module']}.{reference['class']} is no class of imputers")
    return class_taking(target, parameters)(**parameters)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content), encoding="utf-8")
    partial.replace(path)


def _contexts(request: Mapping[str, Any]) -> list[Context]:
    return [
        Context(
            seed=seed + request["seed_shift"],
            device=request["device"],
            threads=request["threads"],
            scratch=Path(request["scratch"]),
            memory=request["memory"],
        )
        for seed in request["seeds"]
    ]


def _versions(imputer: Imputer, results: Sequence[Imputed]) -> dict[str, Any]:
    """Name what took part; ``info["versions"]`` tells what lies outside Python, such as R."""
    packages = (*_OF_EVERY_IMPUTER, *imputer.packages)
    versions = {package: _version(package) for package in packages}
    found = {package: version for package, version in versions.items() if version}
    python = ".".join(map(str, sys.version_info[:3]))
    told: dict[str, Any] = {}
    for result in results:
        told.update(result.info.get("versions", {}))
    return {"python": python, imputer.name: imputer.version, **found, **told}


@lru_cache
def _version(package: str) -> str:
    """Return the version that is installed here; empty where there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
