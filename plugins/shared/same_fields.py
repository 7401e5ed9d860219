"""Settings of a training, taken from the parameters of the same names."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

T = TypeVar("T")


def same_fields(kind: type[T], source: object, **given: Any) -> T:
    """Make a dataclass of this kind from attributes of `source` with its fields' names.

    `given` stands before them; a field that is in neither keeps its default.
    """
    names = {field.name for field in fields(kind)} - given.keys()  # type: ignore[arg-type]
    return kind(**given, **{name: getattr(source, name) for name in names if hasattr(source, name)})
