"""Import the metrics and protocols of a scoring process, and refuse the imputers it scores."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from impbench.errors import InputError
from impbench.origin import OURS, Origin
from impbench.registry import Registry

CORE, PLUGINS = OURS
BUILT_IN = Origin("builtin", f"{CORE}.builtin")


class NotApartError(InputError, ImportError):
    """One plugin would both ask and answer."""


@dataclasses.dataclass(frozen=True)
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

    def to_json(self) -> str:
        """Write it for the command line of a scoring process."""
        return json.dumps(dataclasses.asdict(self), default=str)

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
        sys.meta_path.insert(0, ImportBar(self.never))
        return Registry([BUILT_IN, *self.origins], imported_kinds=("protocols", "metrics"))


class ImportBar(MetaPathFinder):
    """Refuses to import some packages; the first of all finders."""

    def __init__(self, packages: Sequence[str]) -> None:
        self._packages = frozenset(packages)

    def find_spec(
        self, fullname: str, path: Any, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Refuse, or leave it to the finders that follow."""
        package = fullname.partition(".")[0]
        if package in self._packages:
            raise NotApartError(
                f"what asks the question imports {fullname!r}, but an imputer of {package!r} takes "
                "part in this run: put what the question needs into a file or package of its own"
            )
        return None
