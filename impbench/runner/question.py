"""Who asks must not answer: where a run's parts come from, and what is imported beside them.

A plugin whose code makes the data or judges an imputation could favour an imputer of its own.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from impbench.data.dataset import Source
from impbench.errors import InputError
from impbench.origin import OURS, Origin
from impbench.registry import Registry

Kind = Literal["dataset", "protocol", "metric"]

CORE, PLUGINS = OURS
BUILT_IN = Origin("builtin", f"{CORE}.builtin")


class NotApartError(InputError, ImportError):
    """One plugin would both ask and answer."""


@dataclass(frozen=True)
class Asking:
    """One part of a question that a stranger brings."""

    kind: Kind
    name: str
    origin: Origin


def strangers_asking(registry: Registry, names: Iterable[tuple[Kind, str]]) -> list[Asking]:
    """Return those of some datasets, protocols and metrics that strangers bring; import none."""
    found = []
    for kind, name in dict.fromkeys(names):
        entry = registry.parts(f"{kind}s").entry(name)
        if entry is not None and not entry.origin.is_ours:
            found.append(Asking(kind, name, entry.origin))
    return found


@dataclass(frozen=True)
class Answering:
    """The strangers whose imputers take part in a run.

    Attributes
    ----------
    homes
        Where their code is (packages and files), with the name of an imputer that is there.
    """

    homes: Mapping[str, str] = field(default_factory=dict)

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

    def check(
        self,
        registry: Registry,
        names: Iterable[tuple[Kind, str]],
        sources: Iterable[Source] = (),
    ) -> None:
        """Refuse what asks, if it is brought by one of these; nothing is imported for that.

        Parameters
        ----------
        names
            Kind and name of what asks.
        sources
            Datasets that the caller made from classes of its own.

        Raises
        ------
        NotApartError
            Names both parts, and says what to do.
        """
        for asking in strangers_asking(registry, names):
            if asking.origin.home in self.homes:
                raise self._refusal(asking.origin.name, asking.origin.home, asking)
        for source in sources:
            home = type(source).__module__.partition(".")[0]
            if home in self.homes:
                raise self._refusal(home, home, Asking("dataset", source.spec, Origin()))

    def _refusal(self, plugin: str, home: str, asking: Asking) -> NotApartError:
        kind = asking.kind
        return NotApartError(
            f"{plugin} brings both the imputer {self.homes[home]!r} and the {kind} "
            f"{asking.name!r}, and this run uses both: a plugin must not ask the question that its "
            f"own imputer answers; put the {kind} into a file or package of its own, or leave the "
            "imputer out"
        )

    @contextmanager
    def kept_out(self) -> Iterator[None]:
        """Let nothing in here import any of these."""
        bar = _Bar(list(self.homes))
        sys.meta_path.insert(0, bar)
        try:
            yield
        finally:
            sys.meta_path.remove(bar)


@dataclass(frozen=True)
class Imports:
    """What a scoring process imports besides impbench itself.

    Attributes
    ----------
    origins
        Plugins of strangers that bring this run's protocols and metrics.
    never
        Packages that it must not import: those of the imputers that it scores.
    """

    origins: tuple[Origin, ...] = ()
    never: tuple[str, ...] = (PLUGINS,)

    @classmethod
    def of(cls, asking: Iterable[Asking], answering: Answering) -> Imports:
        """Take what scores from what asks: datasets are made elsewhere."""
        origins = dict.fromkeys(item.origin for item in asking if item.kind != "dataset")
        return cls(tuple(origins), (PLUGINS, *sorted(answering.homes)))

    def to_json(self) -> str:
        """Write it for the command line of a scoring process."""
        origins = [
            {**vars(origin), "file": None if origin.file is None else str(origin.file)}
            for origin in self.origins
        ]
        return json.dumps({"origins": origins, "never": self.never})

    @classmethod
    def from_json(cls, text: str) -> Imports:
        """Read what `to_json` wrote."""
        data = json.loads(text)
        origins = (
            Origin(**{**item, "file": None if item["file"] is None else Path(item["file"])})
            for item in data["origins"]
        )
        return cls(tuple(origins), tuple(data["never"]))

    def registry(self) -> Registry:
        """Import all of it in this process, and make sure of what is never to be imported."""
        sys.meta_path.insert(0, _Bar(self.never))
        return Registry([BUILT_IN, *self.origins], import_all=True)


class _Bar(MetaPathFinder):
    """Refuses to import some packages; the first of all finders."""

    def __init__(self, packages: Sequence[str]) -> None:
        self._packages = frozenset(packages)

    def find_spec(
        self, fullname: str, path: Any, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package = fullname.partition(".")[0]
        if package in self._packages:
            raise NotApartError(
                f"what asks the question imports {fullname!r}, but an imputer of {package!r} takes "
                "part in this run: put what the question needs into a file or package of its own"
            )
        return None
