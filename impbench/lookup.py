"""Look a name up, or list the names that come nearest."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

from impbench.errors import NotFoundError

T = TypeVar("T")


def find(kind: str, known: Mapping[str, T], name: str, broken: Iterable[object] = ()) -> T:
    """Look `name` up, or say what there is and what comes nearest.

    Parameters
    ----------
    broken
        Plugins that failed to load, which may have brought the name, as messages show them.

    Raises
    ------
    NotFoundError
        If `known` has no such name.
    """
    if name in known:
        return known[name]
    message = f"no {kind} is called {name!r}"
    if near := nearest(name, known):
        message += f"; did you mean {' or '.join(near)}?"
    else:
        message += f"; `impbench list {kind}s` shows what there is"
    if failures := "; ".join(map(str, broken)):
        message += f". These plugins failed to load: {failures}"
    raise NotFoundError(message)


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Return up to three of the known names that `name` may have been meant for."""
    lowered = {key.lower(): key for key in known}
    if name.lower() in lowered:
        return [lowered[name.lower()]]
    return difflib.get_close_matches(name, lowered.values(), n=3, cutoff=0.5)
