"""Refuse a run in which one plugin both asks the question and answers it.

A plugin whose code makes the data, carries out the jobs, judges an imputation or draws it could
favour an imputer of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from impbench.origin import OURS, Origin
from impbench.parameters import Parametrised
from impbench.registry import Registry
from impbench.scoring.imports import PLUGINS, ImportBar, Imports, NotApartError

Kind = Literal["dataset", "protocol", "metric", "figure", "executor"]


@dataclass(frozen=True)
class Asking:
    """One part of a run that a stranger brings and whose plugin may not answer."""

    kind: Kind
    name: str
    origin: Origin


def strangers_asking(registry: Registry, names: Iterable[tuple[Kind, str]]) -> list[Asking]:
    """Return those of some parts of a run that strangers bring; import none."""
    found = []
    for kind, name in dict.fromkeys(names):
        entry = registry.parts(f"{kind}s").entry(name)
        if entry is not None and not entry.origin.is_ours:
            found.append(Asking(kind, name, entry.origin))
    return found


@dataclass(frozen=True)
class Answering:
    """The strangers whose imputers take part in a run."""

    homes: Mapping[str, str] = field(default_factory=dict)
    """Where their code is (packages and files), with the name of an imputer that is there."""

    @classmethod
    def of(cls, registry: Registry, imputers: Iterable[str]) -> Answering:
        """Look at the imputers of these names; unknown ones are somebody else's to complain of."""
        homes: dict[str, str] = {}
        for name in imputers:
            entry = registry.imputers.entry(name)
            if entry is not None and not entry.origin.is_ours:
                homes.setdefault(entry.origin.home, name)
                # A plugin may offer a class of another package.
                homes.setdefault(entry.load().__module__.partition(".")[0], name)
        return cls({home: name for home, name in homes.items() if home not in OURS})

    def check(self, registry: Registry, names: Iterable[tuple[Kind, str]]) -> None:
        """Refuse what asks, if it is brought by one of these; nothing is imported for that.

        Parameters
        ----------
        names
            Kind and name of what asks.

        Raises
        ------
        NotApartError
            Names both parts, and says what to do.
        """
        for asking in strangers_asking(registry, names):
            if asking.origin.home in self.homes:
                raise self._refusal(asking.origin.name, asking.origin.home, asking)

    def check_made(self, kind: Kind, made: Parametrised) -> None:
        """Do the same for what the caller made from a class of its own."""
        home = type(made).__module__.partition(".")[0]
        if home in self.homes:
            raise self._refusal(home, home, Asking(kind, made.spec, Origin()))

    def _refusal(self, plugin: str, home: str, asking: Asking) -> NotApartError:
        kind = asking.kind
        act = "carry out the run" if kind == "executor" else "ask the question"
        return NotApartError(
            f"{plugin} brings both the imputer {self.homes[home]!r} and the {kind} "
            f"{asking.name!r}, and this run uses both: a plugin must not {act} that its "
            f"own imputer answers; put the {kind} into a file or package of its own, or leave the "
            "imputer out"
        )

    @contextmanager
    def kept_out(self) -> Iterator[None]:
        """Let nothing in here import any of these."""
        bar = ImportBar(list(self.homes))
        sys.meta_path.insert(0, bar)
        try:
            yield
        finally:
            sys.meta_path.remove(bar)

    def scoring_imports(self, asking: Iterable[Asking]) -> Imports:
        """Return what scoring imports of what asks."""
        judging = ("protocol", "metric")
        origins = dict.fromkeys(item.origin for item in asking if item.kind in judging)
        return Imports(tuple(origins), (PLUGINS, *sorted(self.homes)))
