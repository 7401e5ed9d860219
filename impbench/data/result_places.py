"""Where the result of `impbench impute` stands in the data, and which name is still free for it."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anndata import AnnData

KEY = "imputed"
"""What a result is called where nobody chooses a name."""

FREE = "free layer name"
"""The fact of a data set that says what to call a result instead, where `KEY` is taken."""


def places_of(key: str, by_gene: bool = False) -> tuple[str, str, str]:
    """Return the places that a result called `key` takes."""
    return f"layers/{key}", f"{'varm' if by_gene else 'obsm'}/X_{key}", f"uns/{key}"


def taken_places(data: AnnData, key: str) -> list[str]:
    """Return those of `places_of` that something has already."""
    parts = [(place, *place.split("/", 1)) for place in places_of(key)]
    return [place for place, group, name in parts if name in getattr(data, group)]


def free_key(data: AnnData) -> str:
    """Return the first of ``imputed``, ``imputed_2``, ``imputed_3``, ... that nothing is called."""
    names = (KEY if number == 1 else f"{KEY}_{number}" for number in count(1))
    return next(name for name in names if not taken_places(data, name))
