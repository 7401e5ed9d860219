"""Read what the user may set: changes too small to matter (floors), and how strict a check is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from impbench.errors import InputError
from impbench.lookup import find
from impbench.regress.measured import ComparedMetric
from impbench.regress.runtime import MAX_SLOWDOWN


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


def floor_of(metric: str, facts: ComparedMetric, chosen: Mapping[str, Floor]) -> Floor:
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


ALPHA = 0.005
"""Half of the 1 % promised: scores are skewed, which costs a t test with five seeds as much."""


@dataclass(frozen=True)
class Rules:
    """What the user may set."""

    alpha: float = ALPHA
    """Largest chance of any false alarm per build, over all entries together."""
    floors: Mapping[str, Floor] = field(default_factory=dict)
    """Metric → largest change that does not matter, instead of the defaults."""
    allow_missing: bool = False
    """Whether entries of the baseline may be absent, as when only a part was run."""
    any_suite: bool = False
    """Whether the runs may be of different suites."""
    control: str = ""
    """The imputer whose runtime is the unit of all others'; empty: the control whose role is
    ``formula``."""
    max_slowdown: float = MAX_SLOWDOWN
    """Runtime ratio (new : old) that is not worth a warning."""
    fail_on_runtime: bool = False
    """Whether a slower method fails the build."""

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 0.5:
            raise InputError(
                f"alpha is a chance between 0 and 0.5, such as {ALPHA}, not {self.alpha}"
            )
        if not 1 <= self.max_slowdown < math.inf:
            raise InputError(
                f"the allowed slowdown is a ratio of 1 or more, not {self.max_slowdown}"
            )
