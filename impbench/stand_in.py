"""A class that stands in for an imputer that is not imported here.

It lists, validates, hashes and plans as the real one does, has its name, module and parameters, by
which a worker finds that one, and cannot impute.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from typing import Any, ClassVar

from impbench.context import Context
from impbench.description import DECLARED, ToldImputer, frozen, plain, read_type
from impbench.errors import InputError
from impbench.gives import check_gives
from impbench.imputer import Imputed, Imputer, Observed
from impbench.parameters import parameter

Check = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""Builds the real imputer of that name elsewhere, and returns its parameters."""

LONGEST_NAME = 200
"""Characters of a name."""

MOST_PACKAGES = 50
"""Packages of one imputer, each of which is looked up."""

_PACKAGE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{,98}[A-Za-z0-9])?", re.ASCII)


@dataclass(frozen=True)
class StoodFor:
    """What is known of the real class."""

    told: ToldImputer
    """What was told of it."""
    file: Path | None
    """The plugin file that defines it, or None."""
    check: Check | None
    """For a class that checks its parameters itself; else None."""
    lock: tuple[str, ...] | None = None
    """Lines of its lockfile, where they came with it from another machine; else None."""


class StandIn(Imputer):
    """Base of all stand-ins."""

    stood_for_: ClassVar[StoodFor]

    def __post_init__(self) -> None:
        super().__post_init__()
        check = self.stood_for_.check
        if check is not None:
            values = check(self.name, self.parameters())
            for name in self.parameters():
                object.__setattr__(self, name, frozen(values[name]))

    @classmethod
    def unavailable(cls) -> str | None:
        """Say what the real one said."""
        return cls.stood_for_.told["lack"]

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Refuse: only the real one can."""
        raise TypeError(
            f"{self.name} is known here by its description alone; impbench.get_imputer loads it"
        )


class _SharesSeeds(StandIn):
    """For a class that imputes several seeds at once."""

    def impute_many(self, observed: Observed, contexts: Any) -> list[Imputed]:
        return [self.impute(observed, context) for context in contexts]


def stand_in(
    told: ToldImputer,
    file: Path | None = None,
    check: Check | None = None,
    lock: tuple[str, ...] | None = None,
) -> type[Any]:
    """Make the class that stands in for the one that `told` describes; the rest as in `StoodFor`.

    Raises
    ------
    InputError
        If what is told makes no class that a worker could find.
    """
    name = told["name"]
    if not 0 < len(name) <= LONGEST_NAME:
        raise InputError(f"an imputer's name has {len(name)} characters")
    words = [*told["module"].split("."), *told["qualname"].split(".")]
    if not all(map(str.isidentifier, words)):
        raise InputError(
            f"the imputer {name!r} must be a class at the top of its module, or a worker could not "
            f"find it; it is {'.'.join(words)[:LONGEST_NAME]}"
        )
    check_gives(name, tuple(told["gives"]))
    packages = told["packages"]
    if len(packages) > MOST_PACKAGES or not all(map(_PACKAGE.fullmatch, packages)):
        raise InputError(
            f"the imputer {name!r} has packages {str(packages)[:LONGEST_NAME]}; expected at most "
            f"{MOST_PACKAGES} names of distributions, such as 'scikit-learn', without versions"
        )
    fields: list[tuple[str, Any, Any]] = []
    for item in told["parameters"]:
        bounds: dict[str, Any] = {"min": item["min"], "max": item["max"]}
        default = frozen(item["default"])
        plain(default, f"parameter {item['name']} of {name}")
        declared = parameter(default, item["help"], symbol=item["symbol"], **bounds)
        if hasattr(StandIn, item["name"]) or item["name"] in ("name", "summary", "stood_for_"):
            raise InputError(
                f"the imputer {name!r} has a parameter {item['name']!r}, which is a name of "
                "impbench's own; choose another"
            )
        fields.append((item["name"], read_type(item["type"]), declared))
    attributes = {
        "__module__": told["module"],
        "__qualname__": told["qualname"],
        "__doc__": told["summary"],
        **{attribute: frozen(value) for attribute, value in told.items() if attribute in DECLARED},
        "stood_for_": StoodFor(told, file, check if told["checks_itself"] else None, lock),
    }
    base = _SharesSeeds if told["shares_seeds"] else StandIn
    try:
        made = make_dataclass(words[-1], fields, bases=(base,), namespace=attributes, frozen=True)
    except (TypeError, ValueError) as error:
        raise InputError(f"the imputer {name!r} cannot be: {error}") from error
    made.__module__, made.__qualname__ = told["module"], told["qualname"]
    return made
