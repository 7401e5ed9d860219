"""What of our environment a worker in another one may import: impbench, its methods, the plugin.

The worker's path holds links to those packages and nothing else, so that every other library is
the one its own environment has.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from impbench.imputer import Imputer
from impbench.registry import FILE_MODULE

OURS = ("impbench", "impbench_plugins")


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
    top = importlib.import_module(name)
    if not hasattr(top, "__path__"):
        assert top.__file__ is not None
        return Path(top.__file__)
    parts = [Path(part) for part in top.__path__]
    # Several folders can share a namespace: the one that the imputer is in.
    home = Path(importlib.import_module(imputer.__module__).__file__ or "")
    return next((part for part in parts if home.is_relative_to(part)), parts[0])
