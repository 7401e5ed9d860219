"""Describe a stranger's plugin through a child process, or import it where that is meant.

Both are remembered for as long as the plugin's file is the same, or for the life of this process.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

from impbench import plugin_view
from impbench.data.locate import cache_folder, data_folder
from impbench.description import ToldImputer, ToldPart, read_plugin
from impbench.errors import InputError
from impbench.hooks import KINDS, BrokenPlugin, Brought, brought_by, reason
from impbench.imputer import Imputer
from impbench.origin import Origin
from impbench.plugin_file import module_name
from impbench.stand_in import stand_in
from impbench.worker.describe import DescriptionError, ask


@dataclass(frozen=True)
class Described:
    """A plugin that is not imported."""

    imputers: dict[str, type[Imputer]] = field(default_factory=dict)
    """Classes that stand in for the real ones, by name."""
    parts: list[ToldPart] = field(default_factory=list)
    """What else there is, which looking up imports."""
    broken: list[BrokenPlugin] = field(default_factory=list)
    failure: str = ""
    """Why nothing could be told at all; also in `broken`."""


def described(origin: Origin) -> Described:
    """Have a child describe the plugin, unless it did before."""
    return _described(origin, origin.digest)


def imported(origin: Origin, kinds: tuple[str, ...] = KINDS) -> Brought:
    """Import the plugin in this process, unless it was before; ask it for parts of some kinds.

    Raises
    ------
    InputError
        If it fails on import.
    """
    try:
        return _imported(origin, origin.digest, kinds)
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(f"plugin {origin.name} fails on import: {reason(error)}") from error


def imported_part(origin: Origin, kind: str, name: str) -> Any:
    """Import the plugin and return one of its parts.

    Raises
    ------
    InputError
        If it fails on import, or brings no such part any more.
    """
    brought = imported(origin)
    if name not in brought.parts[kind]:
        failures = "".join(f": {item.reason}" for item in brought.broken)
        raise InputError(f"plugin {origin.name} does not bring {name!r} any more{failures}")
    return brought.parts[kind][name]


@lru_cache
def _imported(origin: Origin, digest: str, kinds: tuple[str, ...]) -> Brought:
    return brought_by(origin.load(), origin.name, kinds)


@lru_cache
def _described(origin: Origin, digest: str) -> Described:
    try:
        told = read_plugin(_ask(origin))
    except InputError as error:
        details = error.details if isinstance(error, DescriptionError) else ""
        broken = BrokenPlugin(origin.name, str(error), details)
        return Described(broken=[broken], failure=str(error))
    found = Described(parts=told["parts"])
    for item in told["broken"]:
        found.broken.append(BrokenPlugin(origin.name, item["reason"], item["details"]))
    for imputer in told["imputers"]:
        try:
            _check_home(origin, imputer)
            made = stand_in(imputer, origin.file, partial(_check, origin, digest))
        except (InputError, RecursionError) as error:
            found.broken.append(BrokenPlugin.of(origin.name, error))
        else:
            found.imputers[imputer["name"]] = made
    return found


def _ask(origin: Origin, construct: tuple[str, Mapping[str, Any]] | None = None) -> Any:
    hidden = [*plugin_view.hidden, cache_folder(), *filter(None, [data_folder()])]
    return ask(origin, construct, hidden=hidden, readable=plugin_view.readable)


def _check_home(origin: Origin, imputer: ToldImputer) -> None:
    """Refuse an imputer that says it is defined elsewhere: what is there has other rights."""
    module = imputer["module"]
    if origin.file is not None:
        home = module == module_name(origin.file)
    else:
        home = module.partition(".")[0] == origin.home
    if not home:
        raise InputError(
            f"the imputer {imputer['name']!r} says that it is defined in {module[:60]!r}; it must "
            f"be defined in {origin.name} itself"
        )


def _check(origin: Origin, digest: str, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Have an imputer that checks its parameters itself do so in a child; return them."""
    answer = _checked(origin, digest, name, json.dumps(values))
    if not isinstance(answer, dict):
        raise InputError(f"{name}: its parameters could not be checked")
    if "refused" in answer:
        raise InputError(str(answer["refused"]))
    checked = answer.get("values")
    if not isinstance(checked, dict) or set(checked) != set(values):
        raise InputError(f"{name}: its parameters could not be checked")
    return checked


@lru_cache
def _checked(origin: Origin, digest: str, name: str, values: str) -> Any:
    try:
        return _ask(origin, (name, json.loads(values)))
    except DescriptionError as error:
        raise InputError(f"{name}: {error}") from error
