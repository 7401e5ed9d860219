"""Parameters as dataclass fields: they list, validate, parse from text and hash by themselves.

Imputers, protocols and dataset sources are all frozen dataclasses whose fields are their
parameters. The text form is the same for all of them: ``magic[t=5,knn=10]``.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import sys
import types
import typing
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from impbench.errors import InputError

if TYPE_CHECKING:
    from typing import Self


def parameter(
    default: Any,
    help: str,
    *,
    min: float | None = None,
    max: float | None = None,
    symbol: str | None = None,
) -> Any:
    """Declare one parameter of an imputer, protocol or dataset source.

    Parameters
    ----------
    default
        Value when the user gives none.
    help
        One sentence, with the paper's equation or section where it has one.
    min, max
        Inclusive bounds for numbers.
    symbol
        The paper's symbol, such as ``"γ"``.
    """
    meta = {"help": help, "min": min, "max": max, "symbol": symbol}
    return dataclasses.field(default=default, metadata=meta)


@dataclass(frozen=True)
class Parameter:
    """What `describe` says of one parameter."""

    name: str
    type: str
    default: Any
    help: str
    symbol: str | None


@dataclass(frozen=True)
class Parametrised:
    """Base of everything that has a name and parameters.

    Raises
    ------
    InputError
        At construction, when a value has the wrong type or lies outside its bounds.
    """

    name: ClassVar[str]
    summary: ClassVar[str]

    def __post_init__(self) -> None:
        hints = type_hints(type(self))
        for field in dataclasses.fields(self):
            value = _checked(self.name, field, hints[field.name], getattr(self, field.name))
            object.__setattr__(self, field.name, value)

    @classmethod
    def describe(cls) -> list[Parameter]:
        """List the parameters, in declaration order."""
        hints = type_hints(cls)
        return [
            Parameter(
                name=field.name,
                type=_type_name(hints[field.name]),
                default=field.default,
                help=field.metadata.get("help", ""),
                symbol=field.metadata.get("symbol"),
            )
            for field in dataclasses.fields(cls)
        ]

    @classmethod
    def from_text(cls, values: Mapping[str, str]) -> Self:
        """Build from ``{"t": "5", "knn": "10"}``, each value written as in TOML or as a bare word.

        Raises
        ------
        InputError
            If a name is not a parameter of this class, or a value does not fit.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for key in values:
            if key not in known:
                raise no_parameter(cls.name, key, known)
        hints = type_hints(cls)
        return cls(**{key: _read(text, hints[key]) for key, text in values.items()})

    def parameters(self) -> dict[str, Any]:
        """Return every parameter and its value."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @property
    def spec(self) -> str:
        """The shortest text that names this object: parameters at their default are left out."""
        hints = type_hints(type(self))
        changed = [
            f"{field.name}={_text(getattr(self, field.name), hints[field.name])}"
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        ]
        return f"{self.name}[{','.join(changed)}]" if changed else self.name


def no_parameter(name: str, key: str, known: Sequence[str]) -> InputError:
    """Return the error for a parameter that `name` does not have; says which it has."""
    # Only here: workers of methods with an environment of their own never come by.
    from impbench.lookup import nearest

    near = nearest(key, known)
    guess = f"; did you mean {' or '.join(near)}?" if near else ""
    offer = ", ".join(known) if known else "none"
    return InputError(f"{name} has no parameter {key!r}; its parameters: {offer}{guess}")


def split_spec(spec: str) -> tuple[str, dict[str, str]]:
    """Split ``"magic[t=5,knn=10]"`` into ``("magic", {"t": "5", "knn": "10"})``.

    Raises
    ------
    InputError
        If the brackets or a ``key=value`` pair are malformed.
    """
    name, bracket, rest = spec.strip().partition("[")
    if not bracket:
        return name, {}
    if not rest.endswith("]"):
        raise InputError(f"{spec!r} lacks its closing bracket; write name[key=value,key=value]")
    values: dict[str, str] = {}
    for item in split_specs(rest[:-1]):
        key, equals, value = item.partition("=")
        if not equals or not key.strip():
            raise InputError(f"{item!r} in {spec!r} is not key=value")
        if key.strip() in values:
            raise InputError(f"{spec!r} gives {key.strip()!r} twice")
        values[key.strip()] = value.strip()
    return name.strip(), values


def split_specs(text: str) -> list[str]:
    """Split ``"magic[t=5,knn=10],no-imputation"`` at the commas outside brackets and quotes."""
    items, depth, start = [], 0, 0
    for i, char in enumerate(_QUOTED.sub(lambda found: "_" * len(found[0]), text)):
        depth += (char in "[(") - (char in "])")
        if char == "," and depth == 0:
            items.append(text[start:i])
            start = i + 1
    items.append(text[start:])
    return [item.strip() for item in items if item.strip()]


_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


def _read(text: str, hint: Any) -> Any:
    """Parse `text`; where only the bare text fits (the word true for ``true | own``), keep it."""
    value = _parse(text)
    fits = [any(_fit(option, v) is not _MISFIT for option in _options(hint)) for v in (value, text)]
    return text if fits == [False, True] else value


def _parse(text: str) -> Any:
    import tomllib

    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return {"none": None, "None": None, "True": True, "False": False}.get(text, text)


def _text(value: Any, hint: Any) -> str:
    """Write `value` so that `_read` reads it back; a plain word stays without quotes."""
    if value is None:
        return "none"
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) is not None and _read(value, hint) == value
        return value if plain else _quoted(value)
    if isinstance(value, tuple):
        items = (_quoted(v) if isinstance(v, str) else _text(v, None) for v in value)
        return f"[{', '.join(items)}]"
    return str(value).lower() if isinstance(value, bool) else repr(value)


_PLAIN = re.compile(r"[^\s,\[\]()=\"'\\]+")


def _quoted(text: str) -> str:
    """Write a TOML string; DEL is the one character that JSON leaves bare and TOML does not."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _checked(owner: str, field: dataclasses.Field[Any], hint: Any, value: Any) -> Any:
    """Return `value` in the type of `hint`, or say what the parameter accepts."""
    for option in _options(hint):
        fitted = _fit(option, value)
        if fitted is not _MISFIT:
            _check_bounds(owner, field, fitted)
            return fitted
    raise InputError(
        f"{owner}: parameter {field.name}={value!r} is not {_type_name(hint)} "
        f"(default: {field.default!r})"
    )


_MISFIT = object()
_NONE = type(None)
_UNIONS = (typing.Union, getattr(types, "UnionType", typing.Union))


_hints: weakref.WeakKeyDictionary[type, Mapping[str, Any]] = weakref.WeakKeyDictionary()


def type_hints(cls: type[Parametrised]) -> Mapping[str, Any]:
    """Return the types of the parameters, resolved once for each class: plans ask for many."""
    if cls not in _hints:
        _hints[cls] = _resolve_hints(cls)
    return _hints[cls]


def _resolve_hints(cls: type[Parametrised]) -> dict[str, Any]:
    """Resolve the types of the parameters.

    Those alone: the worker may run on an older Python that cannot resolve every class attribute's.
    """
    names = {field.name for field in dataclasses.fields(cls)}
    hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        own = (
            vars(base).get("__annotations__", {})
            if sys.version_info < (3, 10)
            else inspect.get_annotations(base)
        )
        stated = {name: hint for name, hint in own.items() if name in names}
        scope = getattr(sys.modules.get(base.__module__), "__dict__", {})
        holder: Any = types.SimpleNamespace(__annotations__=stated)
        hints.update(typing.get_type_hints(holder, scope, dict(vars(base))))
    return hints


def _options(hint: Any) -> tuple[Any, ...]:
    if typing.get_origin(hint) in _UNIONS:
        return typing.get_args(hint)
    return (hint,)


def _fit(hint: Any, value: Any) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return value if value in args and type(value) in {type(arg) for arg in args} else _MISFIT
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            return _MISFIT
        kinds = [args[0]] * len(value) if args[1:] == (...,) else list(args)
        if len(kinds) != len(value):
            return _MISFIT
        fitted = tuple(map(_fit, kinds, value))
        return _MISFIT if _MISFIT in fitted else fitted
    if hint is _NONE:
        return None if value is None else _MISFIT
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return _MISFIT
    if hint is int and isinstance(value, bool):
        return _MISFIT
    return value if isinstance(hint, type) and isinstance(value, hint) else _MISFIT


def _check_bounds(owner: str, field: dataclasses.Field[Any], value: Any) -> None:
    low, high = field.metadata.get("min"), field.metadata.get("max")
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            continue
        below = low is not None and not number >= low
        above = high is not None and not number <= high
        if below or above:
            bounds = " and ".join(
                text
                for text, given in ((f"at least {low}", low), (f"at most {high}", high))
                if given is not None
            )
            raise InputError(f"{owner}: parameter {field.name}={value!r} must be {bounds}")


def _type_name(hint: Any) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return " | ".join(str(arg) for arg in typing.get_args(hint))
    if typing.get_origin(hint) in _UNIONS:
        return " | ".join(_type_name(arg) for arg in typing.get_args(hint))
    if hint is _NONE:
        return "none"
    if typing.get_origin(hint) is tuple:
        return f"tuple of {_type_name(typing.get_args(hint)[0])}"
    return getattr(hint, "__name__", str(hint))
