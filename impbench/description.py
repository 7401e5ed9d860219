"""Describe a plugin as JSON in a child process, and check that description here.

Whoever wrote the plugin may have written the JSON too, so that reading it believes nothing.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any, Literal, TypedDict, cast

from impbench.errors import InputError
from impbench.hooks import BrokenPlugin, Brought, reason, summary_of
from impbench.imputer import Imputer
from impbench.parameters import Parametrised, type_hints
from impbench.reading import WHOLE, Document

_SIMPLE: dict[str, Any] = {
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "tuple": tuple,
    "none": type(None),
}
_NAMES = {kind: name for name, kind in _SIMPLE.items()}


class ToldParameter(TypedDict):
    """One parameter; `type` as `told_type` writes it."""

    name: str
    type: Any
    default: Any
    help: str
    symbol: str | None
    min: int | float | None
    max: int | float | None


class ToldImputer(TypedDict):
    """An imputer's class: where it stands, what it declares, what it overrides."""

    name: str
    module: str
    qualname: str
    summary: str
    citation: str
    version: str
    input_scale: Literal["counts", "lognorm"]
    stochastic: bool
    devices: list[str]
    keeps_observed: bool
    gives: list[Literal["expression", "embedding", "std"]]
    requires: list[str]
    requires_python: str
    lockfile: str
    packages: list[str]
    lack: str | None
    shares_seeds: bool
    checks_itself: bool
    parameters: list[ToldParameter]


DECLARED = (
    *("name", "summary", "citation", "version", "input_scale", "stochastic", "devices"),
    *("keeps_observed", "gives", "requires", "requires_python", "lockfile", "packages"),
)
"""Those that are attributes of the class."""


class ToldPart(TypedDict):
    """Anything else: its kind, name and summary; of a suite the path, of a protocol its offers."""

    kind: Literal["metrics", "datasets", "protocols", "suites", "figures", "executors", "commands"]
    name: str
    summary: str
    path: str
    offers: dict[str, str]


class ToldFailure(TypedDict):
    """What could not be had, and why."""

    reason: str
    details: str


class ToldPlugin(TypedDict):
    """All of it."""

    imputers: list[ToldImputer]
    parts: list[ToldPart]
    broken: list[ToldFailure]


def tell(brought: Brought) -> ToldPlugin:
    """Describe what a plugin brings."""
    broken = list(brought.broken)
    told: ToldPlugin = {"imputers": [], "parts": [], "broken": []}
    for kind, table in brought.parts.items():
        for name, item in table.items():
            try:
                if kind == "imputers":
                    told["imputers"].append(_tell_method(item))
                else:
                    path = str(item) if kind == "suites" else ""
                    summary = summary_of(kind, item)
                    told["parts"].append(
                        {
                            "kind": kind,  # type: ignore[typeddict-item]
                            "name": name,
                            "summary": summary,
                            "path": path,
                            "offers": dict(item.offers) if kind == "protocols" else {},
                        }
                    )
            except (Exception, SystemExit) as error:
                broken.append(BrokenPlugin.of("", error))
    told["broken"] = [{"reason": item.reason, "details": item.details} for item in broken]
    return told


def _tell_method(imputer: type[Imputer]) -> ToldImputer:
    if imputer.is_control:
        raise InputError(
            f"the imputer {imputer.name!r} says is_control, but controls, which run with every "
            "benchmark and are not ranked, are impbench's own: delete that line"
        )
    if imputer.role:
        raise InputError(
            f"the imputer {imputer.name!r} says role = {imputer.role!r}, but roles are those of "
            "impbench's own controls: delete that line"
        )
    return tell_imputer(imputer)


def tell_imputer(imputer: type[Imputer]) -> ToldImputer:
    """Describe an imputer.

    Raises
    ------
    InputError
        If a parameter has a type that no text can give, or no default; or if `packages` is a text.
    """
    if isinstance(imputer.packages, str):
        raise InputError(
            f"the imputer {imputer.name!r} has packages = {imputer.packages!r}, a text; expected a "
            "tuple of names, such as ('torch',)"
        )
    declared: Any = {name: getattr(imputer, name) for name in DECLARED}
    told = {
        **{name: list(v) if isinstance(v, tuple) else v for name, v in declared.items()},
        "module": imputer.__module__,
        "qualname": imputer.__qualname__,
        "lack": _lack(imputer),
        "shares_seeds": imputer.impute_many is not Imputer.impute_many,
        "checks_itself": imputer.__post_init__ is not Parametrised.__post_init__,
        "parameters": _tell_parameters(imputer),
    }
    return cast(ToldImputer, told)


def _lack(imputer: type[Imputer]) -> str | None:
    try:
        return imputer.unavailable()
    except (Exception, SystemExit) as error:
        return f"unavailable() fails: {reason(error)}"


def _tell_parameters(imputer: type[Imputer]) -> list[ToldParameter]:
    hints = type_hints(imputer)
    told: list[ToldParameter] = []
    for field in dataclasses.fields(imputer):
        where = f"parameter {field.name} of {imputer.name}"
        if field.default is dataclasses.MISSING:
            raise InputError(f"{where} has no default")
        told.append(
            {
                "name": field.name,
                "type": told_type(hints[field.name], where),
                "default": plain(field.default, where),
                "help": field.metadata.get("help", ""),
                "symbol": field.metadata.get("symbol"),
                "min": _bound(field.metadata.get("min")),
                "max": _bound(field.metadata.get("max")),
            }
        )
    return told


def _bound(bound: float | None) -> float | None:
    return float(bound) if isinstance(bound, int) and abs(bound) >= WHOLE else bound


def told_type(hint: Any, where: str = "parameter") -> Any:
    """Write a parameter's type as JSON: ``"int"``, ``["union", "int", "none"]``, and so on.

    Raises
    ------
    InputError
        If it is none that `impbench.parameters` reads; begins with `where`.
    """
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return ["literal", *(plain(arg, where) for arg in args)]
    if origin is tuple:
        return ["tuple", *("..." if arg is ... else told_type(arg, where) for arg in args)]
    if origin in (typing.Union, types.UnionType):
        return ["union", *(told_type(arg, where) for arg in args)]
    if isinstance(hint, type) and hint in _NAMES:
        return _NAMES[hint]
    kinds = "bool, int, float, str, None, Literal, tuple and unions of them"
    raise InputError(f"{where} has a type that no text can give: {hint}; there are {kinds}")


def read_type(told: Any) -> Any:
    """Make a type of what `told_type` wrote.

    Raises
    ------
    InputError
        If it is something else.
    """
    if isinstance(told, str) and told in _SIMPLE:
        return _SIMPLE[told]
    if isinstance(told, list) and len(told) > 1:
        kind, *args = told
        if kind == "literal" and not any(isinstance(arg, list | dict) for arg in args):
            return Literal[tuple(args)]
        if kind == "union":
            return typing.Union[tuple(map(read_type, args))]  # noqa: UP007
        if kind == "tuple":
            return tuple.__class_getitem__(
                tuple(... if arg == "..." else read_type(arg) for arg in args)
            )
    raise InputError(f"{str(told)[:60]} is no type of a parameter")


def plain(value: Any, where: str) -> Any:
    """Return `value` as JSON can hold it, tuples as lists."""
    if isinstance(value, tuple):
        return [plain(item, where) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise InputError(f"{where} holds {value!r}; expected a number, text, true, false or none")


def frozen(value: Any) -> Any:
    """Undo what `plain` did."""
    return tuple(map(frozen, value)) if isinstance(value, list) else value


def read_plugin(told: Any) -> ToldPlugin:
    """Check an answer down to the last member, and leave out what `tell` does not write.

    Raises
    ------
    InputError
        If it is not what `tell` writes; names the place.
    """
    return Document(told, "the description").fit(ToldPlugin, strict=False)
