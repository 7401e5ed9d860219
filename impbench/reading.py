"""Read TOML and JSON strictly, and say where a file is wrong: line, key, what was expected."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from impbench.errors import InputError
from impbench.lines import KeyPath, Lines, json_lines, toml_lines
from impbench.lookup import nearest

T = TypeVar("T")

LONGEST = 60
"""Characters of a name or of a wrong value that a message shows."""

WHOLE = 2**63
"""Whole numbers stay below it, so that every table can hold them."""


def read_json(data: bytes, kind: type[T], origin: str) -> T:
    """Decode what impbench itself wrote, fast: keys that `kind` does not have are left out.

    `NaN` and half characters, which only Python writes and reads as JSON, are read too. A `Rule`
    and `WHOLE` hold only where `Document.fit` checks: let such a class check itself in its
    ``__post_init__``.

    Parameters
    ----------
    data
        UTF-8.
    kind
        A dataclass, ``TypedDict`` or other type as `Document.fit` takes.
    origin
        What the data are called in messages, such as a path.

    Raises
    ------
    InputError
        If it is no JSON, or does not fit; names `origin` and the place.
    """
    # Imported late: most commands read nothing.
    import msgspec

    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return parse_json(data, origin).fit(kind, strict=False)


def read_toml(path: Path, kind: type[T], what: str) -> T:
    """Read a TOML file that people write: `parse_toml`, then `Document.fit`."""
    return parse_toml(path, what).fit(kind)


@dataclass(frozen=True)
class Rule:
    """What a type cannot say of a value: ``Annotated[int, Rule("a positive number", ...)]``."""

    expected: str
    """What stands in messages after "expected"."""
    holds: Callable[[Any], bool] = lambda value: True
    """Whether a value of the type is as expected."""


@dataclass(frozen=True)
class Document:
    """A parsed file, which knows where its values stand."""

    tree: Any
    """As `json.loads` or `tomllib.loads` returns it."""
    origin: str
    """What it is called in messages."""
    lines: Callable[[], Lines] = dict
    """Finds the line of each key; an empty mapping where there are no lines worth naming."""
    remedy: str = ""
    """What to do about any fault, or nothing."""

    def fit(self, kind: type[T], strict: bool = True) -> T:
        """Make a `kind` of the tree, checked all the way down.

        Parameters
        ----------
        kind
            A dataclass or ``TypedDict`` whose members are of plain types, unions, texts as
            ``Literal``, lists, tuples, mappings or such classes, perhaps with a `Rule`.
        strict
            Refuse keys that a class does not have; else they are left out.

        Raises
        ------
        InputError
            Names the place, what stands there and what is expected.
        """
        try:
            return typing.cast(T, _build(self.tree, kind, (), strict))
        except _Fault as fault:
            raise self.error(fault.path, fault.message) from fault.__cause__

    def error(self, path: KeyPath, message: str) -> InputError:
        """Return the error that begins with the place; of a missing key, its table's line."""
        lines = self.lines()
        known = next((path[:n] for n in range(len(path), 0, -1) if path[:n] in lines), None)
        where = f", line {lines[known]}" if known else ""
        key = f": {_dotted(path)}" if path else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return InputError(f"{self.origin}{where}{key} {message}{remedy}")


def parse_json(data: bytes, origin: str, remedy: str = "") -> Document:
    """Parse JSON, and what only Python writes as such.

    Parameters
    ----------
    data
        UTF-8.
    origin, remedy
        As in `Document`.

    Raises
    ------
    InputError
        If it is no JSON; says the line.
    """
    text = _decode(data, origin, "JSON", remedy)
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _invalid(origin, "JSON", error, remedy) from error
    # What a program sent stands on one line, whose number tells nobody anything.
    return Document(tree, origin, partial(json_lines, text) if "\n" in text else dict, remedy)


def parse_toml(path: Path, what: str) -> Document:
    """Parse a TOML file.

    Parameters
    ----------
    what
        The kind of file, such as ``suite``; messages say it with the path.

    Raises
    ------
    InputError
        If the file cannot be read, or is no TOML; says the line.
    """
    origin = f"{what} {path}"
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(
            f"{origin} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error
    # Some editors begin a file with a mark that it is UTF-8.
    text = _decode(data.removeprefix(b"\xef\xbb\xbf"), origin, "TOML")
    try:
        tree = tomllib.loads(text)
    except RecursionError as error:
        raise _invalid(origin, "TOML", error) from error
    except ValueError as error:
        last = f"at line {text.rstrip().count(chr(10)) + 1}, the last"
        why = str(error).replace("at end of document", last)
        raise _invalid(origin, "TOML", why) from error
    return Document(tree, origin, partial(toml_lines, text))


def _decode(data: bytes, origin: str, language: str, remedy: str = "") -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        why = f"byte 0x{data[error.start]:02x} is no UTF-8 text (at line {line})"
        raise _invalid(origin, language, why, remedy) from error


def _invalid(origin: str, language: str, error: object, remedy: str = "") -> InputError:
    why = "it is nested too deeply" if isinstance(error, RecursionError) else error
    return InputError(f"{origin} is not valid {language}: {why}{f'; {remedy}' if remedy else ''}")


def _dotted(path: KeyPath) -> str:
    """Write a path as in ``question[1].datasets``; names that are no plain words in quotes."""
    parts = []
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
            continue
        name = step if len(step) <= LONGEST else f"{step[:LONGEST]}…"
        plain = name.replace("-", "_").isidentifier()
        parts.append(f".{name if plain else json.dumps(name, ensure_ascii=False)}")
    return "".join(parts).removeprefix(".")


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a table" if value else "an empty table"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, int) and abs(value) >= WHOLE:
        return "a number of more than 18 digits"
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"


class _Fault(Exception):
    """The first value that does not fit."""

    def __init__(self, path: KeyPath, message: str) -> None:
        super().__init__(message)
        self.path, self.message = path, message


def _build(value: Any, hint: Any, path: KeyPath, strict: bool) -> Any:
    """Make what `hint` says of `value`; `msgspec` does the same where there is no `Rule`."""
    if hint is Any:
        return value
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        kind, rule = args
        if _begins(value, kind):
            built = _build(value, kind, path, strict)
            if rule.holds(built):
                return built
        raise _Fault(path, f"is {_shown(value)}; expected {rule.expected}")
    if not _begins(value, hint):
        raise _Fault(path, f"is {_shown(value)}; expected {_name(hint)}")
    if _is_union(hint):
        return _build(value, next(arg for arg in args if _begins(value, arg)), path, strict)
    if origin in (list, tuple, Sequence):
        kinds = args if _is_fixed(hint) else (args[0],) * len(value)
        items = [
            _build(item, item_kind, (*path, i), strict)
            for i, (item, item_kind) in enumerate(zip(value, kinds, strict=True))
        ]
        return tuple(items) if origin is tuple else items
    if origin in (dict, Mapping):
        return {
            _key(name, args[0], path): _build(item, args[1], (*path, name), strict)
            for name, item in value.items()
        }
    if _is_table(hint):
        return _build_table(value, hint, path, strict)
    return float(value) if hint is float else value


def _build_table(value: dict[str, Any], kind: Any, path: KeyPath, strict: bool) -> Any:
    members = _members(kind)
    for name in value:
        if strict and name not in members:
            near = " or ".join(nearest(name, members))
            hint = f"did you mean {near}?" if near else f"known keys: {', '.join(members)}"
            raise _Fault((*path, name), f"is unknown; {hint}")
    built = {
        name: _build(value[name], hint, (*path, name), strict)
        for name, hint in members.items()
        if name in value
    }
    for name, hint in members.items():
        if name not in value and _is_required(kind, name):
            raise _Fault((*path, name), f"is missing; expected {_name(hint)}")
    try:
        return kind(**built)
    except (ValueError, TypeError) as error:
        raise _Fault(path, f"is wrong: {error}") from error


def _begins(value: Any, hint: Any) -> bool:
    """Whether the outermost level fits."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _begins(value, args[0])
    if origin is Literal:
        return isinstance(value, str) and value in args
    if _is_union(hint):
        return any(_begins(value, option) for option in args)
    if origin in (list, tuple, Sequence):
        return isinstance(value, list) and (not _is_fixed(hint) or len(value) == len(args))
    if origin in (dict, Mapping) or _is_table(hint):
        return isinstance(value, dict)
    if hint in (int, float):
        whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < WHOLE
        return whole or (hint is float and isinstance(value, float))
    return hint is Any or isinstance(value, hint)


def _key(name: str, hint: Any, path: KeyPath) -> Any:
    if hint is int:
        if not re.fullmatch(r"0|-?[1-9][0-9]{0,17}", name):
            raise _Fault((*path, name), "is no whole number; expected one as the name")
        return int(name)
    return name


def _name(hint: Any) -> str:
    """Say what is expected, in words that hold for TOML and JSON."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return str(args[1].expected)
    if _is_union(hint):
        left_out = {types.NoneType, *([int] if float in args else [])}
        return " or ".join(_name(arg) for arg in args if arg not in left_out)
    if origin is Literal:
        return f"one of {', '.join(map(json.dumps, args))}"
    if origin in (list, tuple, Sequence):
        return (
            f"a list of {len(args)}" if _is_fixed(hint) else f"a list, each item {_name(args[0])}"
        )
    names = {
        str: "text in quotes",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        Any: "a value",
    }
    return names.get(hint, "a table")


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def _is_fixed(hint: Any) -> bool:
    """Whether it is a tuple of so many items."""
    return typing.get_origin(hint) is tuple and typing.get_args(hint)[-1] is not ...


def _is_table(hint: Any) -> bool:
    return dataclasses.is_dataclass(hint) or typing.is_typeddict(hint)


@cache
def _members(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


@cache
def _is_required(kind: Any, name: str) -> bool:
    if not dataclasses.is_dataclass(kind):
        return name in kind.__required_keys__
    field = next(field for field in dataclasses.fields(kind) if field.name == name)
    return field.default is field.default_factory is dataclasses.MISSING
