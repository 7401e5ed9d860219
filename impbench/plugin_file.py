"""Load a plugin that is one file: Python, or the manifest of a program in any language."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from impbench.errors import InputError

FILE_MODULE = "impbench_file_"
"""Module names of single-file plugins start with this."""


def module_name(path: Path) -> str:
    """Name the module of a plugin file; two files may have one name in different folders."""
    # A worker looks the module up by name, which a space or a hyphen would not let it.
    stem = re.sub(r"\W", "_", path.stem)
    return f"{FILE_MODULE}{stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"


def file_spec(name: str, path: Path) -> ModuleSpec | None:
    """Return how to import the plugin at `path` as module `name`; None if it is no plugin file."""
    loader = _ManifestLoader(path) if is_program(path) else None
    return importlib.util.spec_from_file_location(name, path, loader=loader)


def is_program(path: Path) -> bool:
    """Whether the file is the manifest of a program: to read it runs nothing of its author's."""
    return path.suffix == ".toml"


def check_file(path: Path) -> None:
    """Raise `InputError` unless there is a plugin file at `path`."""
    if not path.is_file():
        raise InputError(f"plugin file {path} does not exist")
    spec = file_spec(module_name(path), path)
    if spec is None or spec.loader is None:
        raise InputError(f"plugin file {path} is not a Python file or a manifest (.toml)")


def import_file(path: Path) -> ModuleType:
    """Import the plugin at `path` in this process, once.

    Raises
    ------
    InputError
        If the file is missing or fails on import.
    """
    name = module_name(path)
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__file__", None) == str(path):
        return loaded
    check_file(path)
    spec = file_spec(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        reason = f"{type(error).__name__}: {str(error).strip() or 'no message'}"
        raise InputError(f"plugin file {path} fails on import: {reason}") from error
    return module


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
