"""Published packages, each in an environment of its own: one file an adapter, and its lockfile.

A new one needs no entry anywhere: every imputer of a file in this folder is offered.
"""

from __future__ import annotations

import importlib
import pkgutil

from impbench import Imputer, hookimpl


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer the adapters of this folder; none of them imports its package before it runs."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return [
        item
        for module in modules
        for item in vars(module).values()
        if isinstance(item, type)
        and issubclass(item, Imputer)
        and item.__module__ == module.__name__
    ]
