"""What a method gives (`impbench.imputer.Imputer.gives`): its rules, and what follows of it.

A worker may run this file on Python 3.8.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, get_args

from impbench.errors import InputError
from impbench.imputer import Part


def check_gives(name: str, gives: Any) -> None:
    """Check what an imputer declares that it gives.

    Raises
    ------
    InputError
        If it is no tuple of parts, names one twice, or holds neither expression nor embedding, or
        a std without an expression.
    """
    known = get_args(Part)
    what = f"the imputer {name!r} has gives = {gives!r}"
    if not isinstance(gives, (tuple, list)) or any(part not in known for part in gives):
        raise InputError(
            f"{what}; expected a tuple of {', '.join(map(repr, known))}, such as ('embedding',)"
        )
    if len(set(gives)) < len(gives):
        raise InputError(f"{what}, which names a part twice")
    if "expression" not in gives and tuple(gives) != ("embedding",):
        raise InputError(
            f"{what}; a method gives an expression, or else an embedding alone (a std belongs to "
            "an expression)"
        )


def only_embedding(gives: Iterable[str]) -> bool:
    """Whether a method gives coordinates of cells and no expression."""
    return "expression" not in gives


def of_batches_alone(name: str, gives: Sequence[Part]) -> tuple[Part, ...]:
    """Return what a method gives that imputes each batch alone: no coordinates of cells.

    Raises
    ------
    InputError
        If nothing is left.
    """
    if only_embedding(gives):
        raise InputError(
            f"{name} gives only an embedding, and coordinates of batches that never met have "
            "nothing to do with each other: leave out per=batch"
        )
    return tuple(part for part in gives if part != "embedding")


def in_words(gives: Iterable[str]) -> str:
    """Say what a method gives: ``only an embedding``, or ``an expression and no embedding``."""
    parts = set(gives)
    if only_embedding(parts):
        return "only an embedding"
    std = ", standard deviations" if "std" in parts else ""
    return f"an expression{std} and {'an' if 'embedding' in parts else 'no'} embedding"
