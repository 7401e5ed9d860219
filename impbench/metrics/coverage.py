"""How often the truth lies in the interval a method gives, and how wide that is.

Arguments are (entries,). A central interval of probability p holds the truth where the share of the
distribution below the truth is within p / 2 of one half. A score over no entries is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench.metrics.metric import Bound, Metric, loss, metric

Entries = NDArray[np.floating[Any]]
LEVELS = (0.5, 0.9, 0.95)
REFERENCE = "|share of entries in the central interval − p|; Gneiting et al. (2007)"
MISSING = "max(0, p − share of entries in the central interval)"


def _error_of(level: float) -> Metric:
    def coverage_error(pit: Entries) -> float:
        return abs(_coverage(pit, level) - level)

    coverage_error.__doc__ = (
        f"How far the coverage of the {100 * level:g} % interval is from {level:g}, on either side."
    )
    return _declared(coverage_error, "coverage", "Coverage error", level, REFERENCE, "ideal")


def _lack_of(level: float) -> Metric:
    def coverage_missing(pit: Entries) -> float:
        return _missing(pit, level)

    coverage_missing.__doc__ = (
        f"What the {100 * level:g} % interval lacks: the error of its coverage where that is below "
        f"{level:g}, else 0."
    )
    # Intervals too wide lack nothing, so 0 is not the best imputation's alone.
    return _declared(coverage_missing, "undercoverage", "Coverage missing", level, MISSING, "none")


def _declared(
    compute: Callable[[Entries], float],
    name: str,
    title: str,
    level: float,
    reference: str,
    bound: Bound,
) -> Metric:
    percent = f"{100 * level:g}"
    declare = metric(
        f"{name}-{percent}",
        title=f"{title} {percent} %",
        direction="min",
        range=(0, level),
        reference=reference,
        bound=bound,
    )
    return declare(compute)


coverage_50, coverage_90, coverage_95 = map(_error_of, LEVELS)
undercoverage_50, undercoverage_90, undercoverage_95 = map(_lack_of, LEVELS)


@metric(
    title="Coverage missing",
    meaning=(
        "Whether the truth lies within the error bars a method states as often as it claims: 0 is "
        "as claimed."
    ),
    direction="min",
    range=(0, sum(LEVELS) / len(LEVELS)),
    reference="mean of max(0, p − coverage) over p = 0.5, 0.9, 0.95",
    bound="none",
)
def undercoverage(pit: Entries) -> float:
    """How much coverage the three intervals lack on average: 0 unless they are too narrow.

    Beside the errors it says on which side they are: an error without it is intervals too wide.
    """
    return float(np.mean([_missing(pit, level) for level in LEVELS]))


@loss(
    title="Interval width",
    meaning=(
        "How wide the error bars are that a method states; narrow is good only if the truth lies "
        "within."
    ),
    unit="log2",
    reference="sharpness, mean over entries; Gneiting et al. (2007)",
    bound="none",
)
def interval_width(interval_width: Entries) -> float:
    """Mean width of the 90 % interval; of methods equally calibrated, the narrowest is best."""
    return float(interval_width.mean()) if len(interval_width) else math.nan


def _coverage(pit: Entries, level: float) -> float:
    return float((np.abs(pit - 0.5) <= level / 2).mean()) if len(pit) else math.nan


def _missing(pit: Entries, level: float) -> float:
    return float(np.maximum(level - _coverage(pit, level), 0))
