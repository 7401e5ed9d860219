"""impbench's own metrics, protocols, datasets, suites, executors, found by walking their folders.

A new metric, protocol or executor is one new file: nothing needs to be listed anywhere.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import impbench.data
import impbench.executors
import impbench.metrics
import impbench.protocols
import impbench.suites
from impbench.data.dataset import Source
from impbench.hookspecs import hookimpl
from impbench.metrics.metric import Metric
from impbench.protocols.protocol import Protocol
from impbench.runner.executor import Executor


@hookimpl
def impbench_metrics() -> list[Metric]:
    """Every `Metric` defined in a file of `impbench.metrics`."""
    return [
        item
        for module in _modules(impbench.metrics)
        for item in vars(module).values()
        # A file may import another's metric to build on it.
        if isinstance(item, Metric) and item.function.__module__ == module.__name__
    ]


@hookimpl
def impbench_protocols() -> list[type[Protocol]]:
    """Every `Protocol` defined in a file of `impbench.protocols`."""
    return _subclasses(impbench.protocols, Protocol)


@hookimpl
def impbench_datasets() -> list[type[Source]]:
    """Simulated scenarios, the bundled data and one source per card of the catalogue."""
    from impbench.data.catalogue import card_sources

    return _subclasses(impbench.data, Source) + card_sources()


@hookimpl
def impbench_suites() -> list[Path]:
    """Every TOML file in `impbench.suites`."""
    return sorted(Path(impbench.suites.__path__[0]).glob("*.toml"))


@hookimpl
def impbench_executors() -> list[type[Executor]]:
    """Every `Executor` defined in a file of `impbench.executors`."""
    return _subclasses(impbench.executors, Executor)


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for info in pkgutil.iter_modules(package.__path__):
        yield importlib.import_module(f"{package.__name__}.{info.name}")


def _subclasses(package: ModuleType, base: Any) -> list[Any]:
    """Concrete subclasses of `base` with a name of their own, each from where it is defined."""
    return [
        item
        for module in _modules(package)
        for item in vars(module).values()
        if inspect.isclass(item)
        and issubclass(item, base)
        and item.__module__ == module.__name__
        and "name" in vars(item)
    ]
