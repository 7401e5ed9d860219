"""Whether a tree of JSON or TOML has the types that a class declares, or where it has not."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Literal

from impbench.errors import InputError

LONGEST = 60
"""Characters of a wrong value that a message shows."""

WHOLE = 2**63
"""Whole numbers stay below it, so that every table can hold them."""


def check_shape(value: Any, hint: Any, where: str) -> None:
    """Compare `value` with a type, all the way down.

    Parameters
    ----------
    value
        As `json.loads` or `tomllib.loads` returns it.
    hint
        A plain type, a union, a ``Literal``, ``list``, ``tuple``, ``Sequence``, ``dict`` or
        ``Mapping`` of such, a dataclass or a ``TypedDict``. Members that these do not name may be
        anything; those they name may be absent.
    where
        What the value is called in messages.

    Raises
    ------
    InputError
        Names the place, what stands there and what is expected.
    """
    # Most trees fit, and finding that takes no names of places.
    if not _matcher(hint)(value) and not _fits(value, hint, where):
        shown = json.dumps(value, ensure_ascii=False, default=str)
        shown = shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"
        raise InputError(f"{where} is {shown}; expected {_name(hint)}")


def _fits(value: Any, hint: Any, where: str) -> bool:
    """Whether the outermost level fits; raises for what lies deeper."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True
    if origin in (typing.Union, types.UnionType):
        chosen = [option for option in args if _outermost(value, option)]
        return bool(chosen) and _fits(value, chosen[0], where)
    if not _outermost(value, hint):
        return False
    if origin in (list, tuple, Sequence):
        for i, item in enumerate(value):
            check_shape(item, args[0], f"{where}[{i}]")
    elif origin in (dict, Mapping):
        for key, item in value.items():
            check_shape(item, args[1], f"{where}[{key[:LONGEST]!r}]")
    elif _is_table(hint):
        for name, member in _members(hint).items():
            if name in value:
                check_shape(value[name], member, f"{where}: {name}")
    return True


def _outermost(value: Any, hint: Any) -> bool:
    return _shallow(hint)(value)


@cache
def _matcher(hint: Any) -> Callable[[Any], bool]:
    """Make the test whether a value fits, all the way down."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    fits = _shallow(hint)
    if origin in (typing.Union, types.UnionType):
        options = [(_shallow(option), _matcher(option)) for option in args]
        return lambda value: next((deep(value) for fit, deep in options if fit(value)), False)
    if origin in (list, tuple, Sequence):
        item = _matcher(args[0])
        return lambda value: fits(value) and all(map(item, value))
    if origin in (dict, Mapping):
        item = _matcher(args[1])
        return lambda value: fits(value) and all(map(item, value.values()))
    if _is_table(hint):
        members = [(name, _matcher(member)) for name, member in _members(hint).items()]
        return lambda value: (
            fits(value) and all(deep(value[name]) for name, deep in members if name in value)
        )
    return fits


@cache
def _shallow(hint: Any) -> Callable[[Any], bool]:
    """Make the test whether a value fits on its outermost level."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return lambda value: True
    if origin is Literal:
        return lambda value: isinstance(value, str) and value in args
    if origin in (typing.Union, types.UnionType):
        options = [_shallow(option) for option in args]
        return lambda value: any(fits(value) for fits in options)
    if origin in (list, tuple, Sequence):
        return lambda value: isinstance(value, list)
    if origin in (dict, Mapping) or _is_table(hint):
        return lambda value: isinstance(value, dict)
    if hint in (int, float):
        kinds = int if hint is int else (int, float)
        return lambda value: (
            isinstance(value, kinds)
            and not isinstance(value, bool)
            and not (isinstance(value, int) and abs(value) >= WHOLE)
        )
    return lambda value: isinstance(value, hint)


def _is_table(hint: Any) -> bool:
    return dataclasses.is_dataclass(hint) or typing.is_typeddict(hint)


@cache
def _members(hint: Any) -> dict[str, Any]:
    return typing.get_type_hints(hint)


def _name(hint: Any) -> str:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(_name, args))
    if origin is Literal:
        return f"one of {', '.join(map(str, args))}"
    if origin in (list, tuple, Sequence):
        return "a list"
    if origin in (dict, Mapping) or _is_table(hint):
        return "an object"
    names = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
    return names.get(hint, "null")
