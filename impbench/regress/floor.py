"""Changes too small to matter: one floor per metric, relative or in the metric's own unit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from impbench.errors import InputError
from impbench.registry import find
from impbench.regress.measured import MetricFacts


@dataclass(frozen=True)
class Floor:
    """A size of change; `relative` floors are a share of the baseline's mean."""

    size: float
    relative: bool

    def of(self, mean: float) -> float:
        """Return the floor in the metric's unit."""
        return self.size * abs(mean) if self.relative else self.size

    def __str__(self) -> str:
        return f"{100 * self.size:g}%" if self.relative else f"{self.size:g}"


UNBOUNDED = Floor(0.005, relative=True)
"""Default for errors: half a percent of the baseline's mean."""

BOUNDED = Floor(0.005, relative=False)
"""Default for indices such as ARI: half a point, as their mean can be near 0."""


def floor_of(metric: str, facts: MetricFacts, chosen: Mapping[str, Floor]) -> Floor:
    """Return the user's floor for `metric`, or the default."""
    return chosen.get(metric, BOUNDED if facts.bounded else UNBOUNDED)


def read_floors(texts: Iterable[str], metrics: Iterable[str]) -> dict[str, Floor]:
    """Read ``mse=0.5%`` (share of the baseline's mean) or ``ari=0.01`` (the metric's unit).

    Raises
    ------
    InputError, NotFoundError
        If a text is not of this form, or names none of `metrics`.
    """
    known = dict.fromkeys(metrics)
    floors = {}
    for text in texts:
        name, equals, amount = text.partition("=")
        number = amount.strip().removesuffix("%")
        relative = amount.strip().endswith("%")
        try:
            size = float(number) / (100 if relative else 1)
        except ValueError:
            size = math.nan
        if not equals or not 0 <= size < math.inf:
            raise InputError(f"--floor {text!r} is not like mse=0.5% or ari=0.01")
        find("metric", known, name.strip())
        floors[name.strip()] = Floor(size, relative)
    return floors
