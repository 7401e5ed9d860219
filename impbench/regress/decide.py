"""Decide whether a metric's mean over seeds is worse than before, and by enough to matter.

Let x be the n scores of the baseline and y the k new ones, one per seed, and δ the loss: the
difference of means, positive where the metric got worse. The new mean should lie in the prediction
interval mean(x) ± t · s · √(1/n + 1/k), with s² pooled from both samples on n + k − 2 degrees of
freedom (after Hahn and Meeker 1991, Statistical Intervals, chapter 4, which has the baseline's s
alone). Where an F test tells the two spreads apart, Welch's test (1947), which lets them differ,
must show the loss too. So unchanged methods with normal scores raise no more false alarms than
the pooled test, which is exact for them, whatever n and k.

A loss is one where δ > 0 is shown and its estimate exceeds a floor. The floor is not subtracted
from the estimate before the test: that would show δ > floor, at the price of losses not seen.

Seeds that both runs share say more: method and evaluation draw the same random numbers, so the
differences seed by seed often vary far less than the scores. A paired t test over shared seeds is
then made as well, with the part of the level that `MOST` leaves (Bonferroni with weights). That
holds whatever ties the two tests together, also where the same seed no longer means the same
random numbers; it is why the difference of means, which uses all seeds, keeps most of the level.

A build fails on any one alarm, so the chance of *any* false alarm is what must be small: p values
of all entries are corrected by Holm's method with weights (Holm 1979, section 3), not by a false
discovery rate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from scipy.special import fdtrc, stdtr, stdtrit

from impbench.metrics.metric import Direction

MOST = 0.8
"""Share of the level that goes where losses are looked for first; the rest goes elsewhere."""

ROUNDING = 1e-6
"""No floor is below this: float32 sums differ that much between processors."""

UNEQUAL_SPREADS = 0.001
"""Two-sided p value of the F test below which the two standard deviations count as different."""


@dataclass(frozen=True)
class Shift:
    """An estimate of the loss δ with its standard error and degrees of freedom.

    A standard error of 0 means that there is no noise: every seed scores the same.
    """

    loss: float
    error: float
    freedom: float

    def p_value(self, floor: float, sign: int = 1) -> float:
        """One-sided p value of ``sign · δ ≤ 0``, or 1 where the estimate is within the floor.

        `sign` is 1 for a loss, −1 for a gain.
        """
        estimate = sign * self.loss
        if estimate <= floor:
            return 1.0
        return 0.0 if self.error == 0 else float(stdtr(self.freedom, -estimate / self.error))

    def largest_passing(self, floor: float, p_value: float) -> float:
        """Largest estimated loss with a p value of this or more (below 0.5)."""
        return max(floor, self.error * float(-stdtrit(self.freedom, p_value)))


@dataclass(frozen=True)
class Evidence:
    """What two samples of one score say."""

    floor: float
    """Largest loss that does not matter."""
    unpaired: tuple[Shift, ...]
    """The difference of means, with the pooled standard error, and with Welch's where the
    spreads differ; all of them must show a loss."""
    paired: Shift | None = None
    """The mean difference over shared seeds, or None where fewer than two are shared."""

    @property
    def loss(self) -> float:
        """Difference of means, positive where the new one is worse; the metric's unit."""
        return self.unpaired[0].loss

    @property
    def noiseless(self) -> bool:
        """Whether every seed scores the same in each sample: then the floor alone decides."""
        return self.unpaired[0].error == 0

    @property
    def p_worse(self) -> float:
        """One-sided p value of no loss, not yet corrected for other entries; 1 up to the floor."""
        return self._p_value(1)

    @property
    def p_better(self) -> float:
        """One-sided p value of no gain, not yet corrected; 1 up to the floor."""
        return self._p_value(-1)

    def largest_passing_loss(self, p_value: float) -> float:
        """Return the largest `loss` that would have had this uncorrected p value or more.

        Were every new score worse by a constant, both tests would see it added.
        """
        if self.paired is None:
            return self._largest_unpaired(p_value)
        unpaired = self._largest_unpaired(MOST * p_value)
        paired = self.paired.largest_passing(self.floor, (1 - MOST) * p_value)
        return min(unpaired, paired + self.loss - self.paired.loss)

    def _largest_unpaired(self, p_value: float) -> float:
        return max(shift.largest_passing(self.floor, p_value) for shift in self.unpaired)

    def _p_value(self, sign: int) -> float:
        unpaired = max(shift.p_value(self.floor, sign) for shift in self.unpaired)
        if self.paired is None:
            return unpaired
        paired = self.paired.p_value(self.floor, sign)
        return min(1.0, unpaired / MOST, paired / (1 - MOST))


def weigh(
    base: Mapping[int, float],
    new: Mapping[int, float],
    direction: Direction,
    floor: float = 0.0,
    paired: bool = True,
) -> Evidence:
    """Compare the scores of two runs.

    Parameters
    ----------
    base, new
        Seed → score, at least two each, all finite.
    direction
        ``"min"`` where smaller is better.
    floor
        Largest loss that does not matter, in the metric's unit; at least `ROUNDING` is taken.
    paired
        Whether the same seed means the same random numbers in both.

    Raises
    ------
    ValueError
        If a sample has fewer than two scores.
    """
    if min(len(base), len(new)) < 2:
        raise ValueError("noise cannot be told from change with fewer than two seeds")
    sign = 1 if direction == "min" else -1
    unpaired = _unpaired(list(base.values()), list(new.values()), sign)
    shared = [seed for seed in base if seed in new] if paired and unpaired[0].error > 0 else []
    differences = [sign * (new[seed] - base[seed]) for seed in shared]
    return Evidence(
        floor=max(floor, ROUNDING),
        unpaired=unpaired,
        paired=_paired(differences) if len(shared) >= 2 else None,
    )


def share_level(leads: Sequence[bool]) -> list[float]:
    """Return the weights of tests, which sum to 1: `MOST` for those that lead, together.

    The rest is for the others; where all lead or none does, all weigh the same.
    """
    n, leading = len(leads), sum(leads)
    if leading in (0, n):
        return [1 / n for _ in leads]
    return [MOST / leading if lead else (1 - MOST) / (n - leading) for lead in leads]


def holm(p_values: Sequence[float], weights: Sequence[float] | None = None) -> list[float]:
    """Return p values corrected for their number, in the order given (Holm 1979).

    The chance of any false alarm stays below the level whatever the positive `weights`, as long as
    they do not depend on the scores; without any, all weigh the same.
    """
    weights = [1.0] * len(p_values) if weights is None else weights
    order = sorted(range(len(p_values)), key=lambda i: p_values[i] / weights[i])
    corrected = [1.0] * len(p_values)
    largest = 0.0
    untested = list(accumulate(weights[i] for i in reversed(order)))
    for i in order:
        largest = max(largest, min(1.0, untested.pop() * p_values[i] / weights[i]))
        corrected[i] = largest
    return corrected


def mean(values: Sequence[float]) -> float:
    """Mean of floats; exactly the common value where all are equal."""
    return values[0] if len(set(values)) == 1 else math.fsum(values) / len(values)


def variance(values: Sequence[float]) -> float:
    """Unbiased variance; exactly 0 where all values are equal."""
    centre = mean(values)
    return math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1)


def _unpaired(x: Sequence[float], y: Sequence[float], sign: int) -> tuple[Shift, ...]:
    loss = sign * (mean(y) - mean(x))
    n, k = len(x), len(y)
    var_x, var_y = variance(x), variance(y)
    variance_of_both = ((n - 1) * var_x + (k - 1) * var_y) / (n + k - 2)
    pooled = Shift(loss, math.sqrt(variance_of_both * (1 / n + 1 / k)), n + k - 2)
    if not _spreads_differ(var_x, n, var_y, k):
        return (pooled,)
    share = k * var_x / (k * var_x + n * var_y)
    freedom = 1 / (share**2 / (n - 1) + (1 - share) ** 2 / (k - 1))
    return pooled, Shift(loss, math.sqrt(var_x / n + var_y / k), freedom)


def _spreads_differ(var_x: float, n: int, var_y: float, k: int) -> bool:
    (small, n_small), (large, n_large) = sorted([(var_x, n), (var_y, k)])
    if small == 0:
        return large > 0
    return 2 * float(fdtrc(n_large - 1, n_small - 1, large / small)) < UNEQUAL_SPREADS


def _paired(differences: Sequence[float]) -> Shift:
    n = len(differences)
    return Shift(mean(differences), math.sqrt(variance(differences) / n), n - 1)
