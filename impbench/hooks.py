"""Call the hooks of one plugin; one part that fails does not take the others with it."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pluggy

from impbench import hookspecs
from impbench.errors import InputError
from impbench.gives import check_gives
from impbench.protocols.evidence import check_offers

KINDS = (
    "imputers",
    "metrics",
    "datasets",
    "protocols",
    "suites",
    "figures",
    "executors",
    "commands",
)
"""What a plugin may bring; the hook is called ``impbench_`` and this."""


@dataclass(frozen=True)
class BrokenPlugin:
    """A plugin that could not be loaded, or a part of one, and why."""

    name: str
    reason: str
    details: str = ""

    def __str__(self) -> str:
        """Name it, and say why."""
        return f"{self.name} ({self.reason})"

    @classmethod
    def of(cls, name: str, error: BaseException) -> BrokenPlugin:
        """Say what went wrong in the plugin `name`."""
        return cls(name, reason(error), "".join(traceback.format_exception(error)))


@dataclass(frozen=True)
class Brought:
    """What a plugin brings, by kind and name, and what of it could not be had."""

    parts: dict[str, dict[str, Any]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    broken: list[BrokenPlugin] = field(default_factory=list)


def brought_by(plugin: Any, name: str, kinds: Sequence[str] = KINDS) -> Brought:
    """Call the hooks that the module or object `plugin` implements; none, if one is unknown.

    A plugin without any hook is broken. Of parts of other kinds than `kinds`, none are asked for.
    """
    manager = pluggy.PluginManager("impbench")
    manager.add_hookspecs(hookspecs)
    manager.register(plugin, name)
    found = Brought()
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        found.broken.append(BrokenPlugin.of(name, error))
        return found
    for kind in kinds:
        table = found.parts[kind]
        for implementation in getattr(manager.hook, f"impbench_{kind}").get_hookimpls():
            try:
                for item in implementation.function():
                    _add(table, kind, item)
            except (Exception, SystemExit) as error:
                found.broken.append(BrokenPlugin.of(name, error))
    if not manager.get_hookcallers(plugin):
        found.broken.append(BrokenPlugin(name, _no_hook(plugin)))
    return found


def _no_hook(plugin: Any) -> str:
    hooks = [hook for kind in KINDS if hasattr(plugin, hook := f"impbench_{kind}")]
    if hooks:
        return f"{' and '.join(hooks)} of it lacks @impbench.hookimpl above its definition"
    folders = [Path(folder) for folder in getattr(plugin, "__path__", ())]
    if folders and not any(code for folder in folders for code in folder.rglob("*.py")):
        return (
            f"there is no code of it in {' and '.join(map(str, folders))}, which another "
            "installation left and which hides the plugin; delete it"
        )
    return (
        "it has no hook; end it with a function impbench_imputers(), with @impbench.hookimpl "
        "above it, that returns a list of your imputers' classes (impbench_metrics() for metrics, "
        "and so on)"
    )


def reason(error: BaseException) -> str:
    """Put an error into one line: its type and what it says."""
    return f"{type(error).__name__}: {str(error).strip() or 'no message'}"


def taken(kind: str, name: str) -> InputError:
    """Return the error for a name that something else has."""
    return InputError(f"the name {name!r} is taken by another {kind[:-1]}; choose another name")


def summary_of(kind: str, item: Any) -> str:
    """Return the line that `impbench list` shows; a suite's stands in its file."""
    if kind == "suites":
        return ""
    return str((item.info.help if kind == "commands" else item.summary) or "")


def _add(table: dict[str, Any], kind: str, item: Any) -> None:
    name = _name_of(kind, item)
    lacking = [
        method
        for method in dir(item)
        # Statically: looking must not compute what a class only computes when asked.
        if getattr(inspect.getattr_static(item, method, None), "__isabstractmethod__", False)
    ]
    if lacking:
        raise InputError(f"the {kind[:-1]} {name!r} does not define {' and '.join(lacking)}")
    if kind == "protocols":
        check_offers(name, item.offers)
    if kind == "imputers":
        check_gives(name, item.gives)
    if name in table:
        raise taken(kind, name)
    table[name] = item


def _name_of(kind: str, item: Any) -> str:
    if kind == "suites":
        return Path(item).stem
    return str(item.info.name if kind == "commands" else item.name)
