"""A plugin that is one file: Python, or the manifest of a program in any language."""

from __future__ import annotations

import importlib.util
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType


def file_spec(name: str, path: Path) -> ModuleSpec | None:
    """Return how to import the plugin at `path` as module `name`; None if it is no plugin file."""
    loader = _ManifestLoader(path) if path.suffix == ".toml" else None
    return importlib.util.spec_from_file_location(name, path, loader=loader)


class _ManifestLoader(Loader):
    """Makes a module with the one imputer that a manifest describes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def exec_module(self, module: ModuleType) -> None:
        from impbench.external.manifest import imputer_class
        from impbench.hookspecs import hookimpl

        imputer = imputer_class(self.path, module.__name__)

        def impbench_imputers() -> list[type]:
            return [imputer]

        setattr(module, imputer.__qualname__, imputer)
        module.impbench_imputers = hookimpl(impbench_imputers)  # type: ignore[attr-defined]
