"""Look a name up, or say what there is and what comes nearest."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Protocol, TypeVar

from impbench.errors import NotFoundError

T = TypeVar("T")


class Failure(Protocol):
    """A plugin that failed to load, which may have brought the name."""

    @property
    def name(self) -> str:
        """Of the plugin."""

    @property
    def reason(self) -> str:
        """Why it failed."""


def find(kind: str, known: Mapping[str, T], name: str, broken: Iterable[Failure] = ()) -> T:
    """Look `name` up, or say what there is and what comes nearest.

    Raises
    ------
    NotFoundError
        If `known` has no such name.
    """
    if name in known:
        return known[name]
    message = f"no {kind} is called {name!r}"
    message += f"; {did_you_mean(name, known) or f'`impbench list {kind}s` shows what there is'}"
    failures = [f"{plugin.name} ({plugin.reason})" for plugin in broken]
    if failures:
        message += f". These plugins failed to load: {'; '.join(failures)}"
    raise NotFoundError(message)


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Ask whether one of the nearest names is meant; empty where none is near."""
    lowered = {key.lower(): key for key in known}
    near = [lowered[name.lower()]] if name.lower() in lowered else []
    near = near or difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else ""
