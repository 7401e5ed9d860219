"""How often the truth lies in the interval a method gives, and how wide that is.

Arguments are (entries,). A central interval of probability p holds the truth where the share of the
distribution below the truth is within p / 2 of one half. A score over no entries is NaN.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench.metrics.metric import metric

Entries = NDArray[np.floating[Any]]
LEVELS = (0.5, 0.9, 0.95)
REFERENCE = "|share of entries in the central interval − p|; Gneiting et al. (2007)"
MISSING = "max(0, p − share of entries in the central interval)"


@metric(
    "coverage-50",
    title="Coverage error 50 %",
    direction="min",
    range=(0, 0.5),
    reference=REFERENCE,
)
def coverage_50(pit: Entries) -> float:
    """How far the coverage of the 50 % interval is from 0.5, on either side."""
    return abs(_coverage(pit, 0.5) - 0.5)


@metric(
    "coverage-90",
    title="Coverage error 90 %",
    direction="min",
    range=(0, 0.9),
    reference=REFERENCE,
)
def coverage_90(pit: Entries) -> float:
    """How far the coverage of the 90 % interval is from 0.9, on either side."""
    return abs(_coverage(pit, 0.9) - 0.9)


@metric(
    "coverage-95",
    title="Coverage error 95 %",
    direction="min",
    range=(0, 0.95),
    reference=REFERENCE,
)
def coverage_95(pit: Entries) -> float:
    """How far the coverage of the 95 % interval is from 0.95, on either side."""
    return abs(_coverage(pit, 0.95) - 0.95)


@metric(
    "undercoverage",
    title="Coverage missing",
    direction="min",
    range=(0, sum(LEVELS) / len(LEVELS)),
    reference="mean of max(0, p − coverage) over p = 0.5, 0.9, 0.95",
)
def undercoverage(pit: Entries) -> float:
    """How much coverage the three intervals lack on average: 0 unless they are too narrow.

    Beside the errors it says on which side they are: an error without it is intervals too wide.
    """
    return float(np.mean([_missing(pit, level) for level in LEVELS]))


@metric(
    "undercoverage-50",
    title="Coverage missing 50 %",
    direction="min",
    range=(0, 0.5),
    reference=MISSING,
)
def undercoverage_50(pit: Entries) -> float:
    """What the 50 % interval lacks: the error of its coverage where that is below 0.5, else 0."""
    return _missing(pit, 0.5)


@metric(
    "undercoverage-90",
    title="Coverage missing 90 %",
    direction="min",
    range=(0, 0.9),
    reference=MISSING,
)
def undercoverage_90(pit: Entries) -> float:
    """What the 90 % interval lacks: the error of its coverage where that is below 0.9, else 0."""
    return _missing(pit, 0.9)


@metric(
    "undercoverage-95",
    title="Coverage missing 95 %",
    direction="min",
    range=(0, 0.95),
    reference=MISSING,
)
def undercoverage_95(pit: Entries) -> float:
    """What the 95 % interval lacks: the error of its coverage where that is below 0.95, else 0."""
    return _missing(pit, 0.95)


@metric(
    "interval-width",
    title="Interval width",
    direction="min",
    unit="log2",
    range=(0, math.inf),
    reference="sharpness, mean over entries; Gneiting et al. (2007)",
)
def interval_width(interval_width: Entries) -> float:
    """Mean width of the 90 % interval; of methods equally calibrated, the narrowest is best."""
    return float(interval_width.mean()) if len(interval_width) else math.nan


def _coverage(pit: Entries, level: float) -> float:
    return float((np.abs(pit - 0.5) <= level / 2).mean()) if len(pit) else math.nan


def _missing(pit: Entries, level: float) -> float:
    return float(np.maximum(level - _coverage(pit, level), 0))
