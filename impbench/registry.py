"""Plugins found, and names like ``magic[t=5,knn=10]`` resolved.

First-party parts and a stranger's plugin come through the same door: an entry point in the group
``impbench`` names a module, and the hooks that module implements are called. A plugin that fails
on import is remembered with its reason and harms nothing else.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.metadata
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar, cast

import pluggy

from impbench import hookspecs
from impbench.data.dataset import Source
from impbench.errors import InputError, NotFoundError
from impbench.imputer import Imputer
from impbench.metrics.metric import Metric
from impbench.parameters import Parametrised, split_spec
from impbench.plugin_file import file_spec
from impbench.protocols.protocol import Protocol

GROUP = "impbench"
FILE_MODULE = "impbench_file_"
"""Module names of single-file plugins start with this."""
P = TypeVar("P", bound=Parametrised)


@dataclass(frozen=True)
class BrokenPlugin:
    """A plugin that could not be loaded, and why."""

    name: str
    reason: str
    details: str = ""


@dataclass(frozen=True)
class Registry:
    """Everything that can be named, by name."""

    imputers: dict[str, type[Imputer]] = field(default_factory=dict)
    metrics: dict[str, Metric] = field(default_factory=dict)
    datasets: dict[str, type[Source]] = field(default_factory=dict)
    protocols: dict[str, type[Protocol]] = field(default_factory=dict)
    suites: dict[str, Path] = field(default_factory=dict)
    commands: dict[str, Any] = field(default_factory=dict)
    broken: list[BrokenPlugin] = field(default_factory=list)

    def imputer(self, spec: str) -> Imputer:
        """Build the imputer that `spec` names.

        Raises
        ------
        NotFoundError
            If there is no imputer of that name; suggests the nearest ones.
        InputError
            If a parameter is unknown or does not fit.
        """
        return _build("imputer", self.imputers, spec, self.broken)

    def dataset(self, spec: str) -> Source:
        """Build the dataset source that `spec` names; errors as `imputer`."""
        return _build("dataset", self.datasets, spec, self.broken)

    def protocol(self, spec: str) -> Protocol:
        """Build the protocol that `spec` names; errors as `imputer`."""
        return _build("protocol", self.protocols, spec, self.broken)

    def metric(self, name: str) -> Metric:
        """Return the metric of that name; errors as `imputer`."""
        return find("metric", self.metrics, name, self.broken)

    def suite(self, name: str) -> Path:
        """Return the suite file of that name; errors as `imputer`."""
        return find("suite", self.suites, name, self.broken)


T = TypeVar("T")


def find(kind: str, known: dict[str, T], name: str, broken: Iterable[BrokenPlugin] = ()) -> T:
    """Look `name` up, or say what there is and what comes nearest.

    Raises
    ------
    NotFoundError
        If `known` has no such name.
    """
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    lowered = {key.lower(): key for key in known}
    if name.lower() in lowered:
        near = [lowered[name.lower()]]
    message = f"no {kind} is called {name!r}"
    if near:
        message += f"; did you mean {' or '.join(near)}?"
    else:
        message += f"; `impbench list {kind}s` shows what there is"
    failures = [f"{plugin.name} ({plugin.reason})" for plugin in broken]
    if failures:
        message += f". These plugins failed to load: {'; '.join(failures)}"
    raise NotFoundError(message)


def _build(kind: str, known: dict[str, type[P]], spec: str, broken: list[BrokenPlugin]) -> P:
    name, values = split_spec(spec)
    return find(kind, known, name, broken).from_text(values)


@lru_cache(maxsize=1)
def registry() -> Registry:
    """Load every installed plugin once and return what they offer."""
    manager = pluggy.PluginManager("impbench")
    manager.add_hookspecs(hookspecs)
    broken: list[BrokenPlugin] = []
    for name, load in _plugins():
        try:
            _register(manager, load(), name)
        except (Exception, SystemExit) as error:
            broken.append(_broken(name, error))
    return _collect(manager, broken)


def load_file(path: Path) -> None:
    """Add the plugin in one Python file or manifest, as ``--plugin my_method.py`` does.

    Raises
    ------
    InputError
        If the file is missing or fails on import.
    """
    path = path.resolve()
    _import_file(path)
    if path not in _files:
        _files.append(path)
    registry.cache_clear()


def plugin_files() -> tuple[Path, ...]:
    """Return the files added with `load_file`."""
    return tuple(_files)


_files: list[Path] = []


def _plugins() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Name every plugin, with what imports it: the installed ones in order, then the files."""
    # One distribution can stand on the path twice, and two can choose the same name.
    unique = {point.value: point for point in importlib.metadata.entry_points(group=GROUP)}
    for point in sorted(unique.values(), key=lambda point: (point.name, point.value)):
        yield f"{point.name} ({point.value})", point.load
    for path in _files:
        yield str(path), partial(_import_file, path)


def _register(manager: pluggy.PluginManager, module: Any, name: str) -> None:
    """Add one plugin, or raise if it implements a hook that does not exist."""
    manager.register(module, name)
    try:
        manager.check_pending()
    except pluggy.PluginValidationError:
        manager.unregister(module)
        raise


def _import_file(path: Path) -> Any:
    # Two files may have the same name in different folders.
    name = f"{FILE_MODULE}{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__file__", None) == str(path):
        return loaded
    if not path.is_file():
        raise InputError(f"plugin file {path} does not exist")
    spec = file_spec(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"plugin file {path} is not a Python file or a manifest (.toml)")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise InputError(f"plugin file {path} fails on import: {_reason(error)}") from error
    return module


def _collect(manager: pluggy.PluginManager, broken: list[BrokenPlugin]) -> Registry:
    """Call every hook of every plugin on its own, so that one failure stays one failure."""
    result = Registry(broken=broken)
    tables: dict[str, dict[str, Any]] = {
        "impbench_imputers": cast(dict[str, Any], result.imputers),
        "impbench_metrics": cast(dict[str, Any], result.metrics),
        "impbench_datasets": cast(dict[str, Any], result.datasets),
        "impbench_protocols": cast(dict[str, Any], result.protocols),
        "impbench_suites": cast(dict[str, Any], result.suites),
        "impbench_commands": result.commands,
    }
    for hook, table in tables.items():
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            try:
                for item in implementation.function():
                    _add(table, _name_of(hook, item), item, hook)
            except (Exception, SystemExit) as error:
                broken.append(_broken(implementation.plugin_name, error))
    return result


def _name_of(hook: str, item: Any) -> str:
    if hook == "impbench_suites":
        return Path(item).stem
    if hook == "impbench_commands":
        return str(item.info.name)
    return str(item.name)


def _add(table: dict[str, Any], name: str, item: Any, hook: str) -> None:
    kind = hook.removeprefix("impbench_").removesuffix("s")
    lacking = [
        method
        for method in dir(item)
        # Statically: looking must not compute what a class only computes when asked.
        if getattr(inspect.getattr_static(item, method, None), "__isabstractmethod__", False)
    ]
    if lacking:
        raise InputError(f"the {kind} {name!r} does not define {' and '.join(lacking)}")
    from impbench.runner.truth_control import TRUTH_CONTROLS

    if name in table or (kind == "imputer" and name in TRUTH_CONTROLS):
        raise InputError(f"the name {name!r} is taken by another {kind}; choose another name")
    table[name] = item


def _broken(name: str, error: BaseException) -> BrokenPlugin:
    details = "".join(traceback.format_exception(error))
    return BrokenPlugin(name, _reason(error), details)


def _reason(error: BaseException) -> str:
    text = str(error).strip() or "no message"
    return f"{type(error).__name__}: {text}"
