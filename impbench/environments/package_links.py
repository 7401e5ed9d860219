"""Link into another environment the packages that a worker there may import from ours.

The worker's path holds links to those packages and nothing else, so that every other library is
the one its own environment has.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

from impbench.imputer import Imputer
from impbench.origin import OURS
from impbench.plugin_file import FILE_MODULE


def link_packages(imputer: type[Imputer], folder: Path) -> None:
    """Fill the new folder `folder` with what a worker needs to import `imputer`."""
    folder.mkdir()
    names = dict.fromkeys(OURS)
    if not imputer.__module__.startswith(FILE_MODULE):
        names[imputer.__module__.partition(".")[0]] = None
    for name in names:
        place = _place(name, imputer)
        (folder / (name if place.is_dir() else place.name)).symlink_to(place)


def _place(name: str, imputer: type[Imputer]) -> Path:
    """Return the folder of a top-level package, or the file of a top-level module."""
    top = located(name)
    if top is None:
        raise ModuleNotFoundError(f"the package {name!r} is not there any more")
    if top.submodule_search_locations is None:
        return Path(top.origin or "")
    parts = [Path(part) for part in top.submodule_search_locations]
    # Several folders can share a namespace: the one that the imputer is in.
    found = located(imputer.__module__)
    home = Path((found and found.origin) or "")
    return next((part for part in parts if home.is_relative_to(part)), parts[0])


def located(module: str) -> ModuleSpec | None:
    """Find a module as importing it would, but import neither it nor the packages that it is in."""
    spec, path, name = None, None, ""
    for part in module.split("."):
        name = f"{name}.{part}" if name else part
        spec = _spec(name, path)
        if spec is None:
            return None
        path = spec.submodule_search_locations
    return spec


def _spec(name: str, path: list[str] | None) -> ModuleSpec | None:
    for finder in sys.meta_path:
        try:
            spec = finder.find_spec(name, path)
        except ImportError:  # one that keeps packages out; to look is no import
            continue
        if spec is not None:
            return spec
    return None
