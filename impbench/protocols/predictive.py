"""What a mean with a standard deviation says of values not seen: a distribution per entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench.imputer import Imputed
from impbench.protocols.protocol import Problem
from impbench.scale import Matrix, lognorm, normalise

Entries = NDArray[np.float64]
Places = NDArray[np.intp]

_NEARLY_POISSON = 1e7
"""From this gamma shape on, the negative binomial is a Poisson to seven digits."""


@dataclass(frozen=True)
class GaussianPrediction:
    """A Gaussian on the scale the method answers on; all fields (entries,)."""

    truth: Entries
    """This, the mean and the deviation: on the method's own scale."""
    mean: Entries
    std: Entries
    size_factors: Entries | None
    """Where that scale is counts; None on the log2 scale."""

    @classmethod
    def of(
        cls, problem: Problem, imputed: Imputed, cells: Places, genes: Places
    ) -> GaussianPrediction:
        """Take some entries of a simulated problem; the truth is hidden in `problem`."""
        hidden, observed = problem.hidden, problem.observed
        assert hidden.truth_counts is not None
        assert hidden.truth_size_factors is not None
        assert imputed.std is not None
        factors = None
        if imputed.scale == "lognorm":
            truth = lognorm(hidden.truth_counts, hidden.truth_size_factors)
        else:
            truth = normalise(hidden.truth_counts, hidden.truth_size_factors)
            factors = observed.size_factors[cells]
        return cls(
            truth[cells, genes].astype(np.float64) * (1 if factors is None else factors),
            imputed.values[cells, genes].astype(np.float64),
            imputed.std[cells, genes].astype(np.float64),
            factors,
        )

    def pit(self) -> Entries:
        """Share below the truth, Φ((y - m) / σ); of a certain value (σ = 0) 1/2, or 0 or 1."""
        from scipy.special import ndtr

        away = self.truth - self.mean
        certain = np.where(
            np.isclose(self.truth, self.mean, 1e-5, 1e-6), 0, np.copysign(np.inf, away)
        )
        z = np.divide(away, self.std, out=certain, where=self.std > 0)
        return np.asarray(ndtr(z))

    def width(self, level: float) -> Entries:
        """Width of the central interval m ± z σ, ends below 0 raised to 0, on the log2 scale."""
        from scipy.special import ndtri

        reach = ndtri((1 + level) / 2) * self.std
        low, high = np.maximum(self.mean - reach, 0), np.maximum(self.mean + reach, 0)
        if self.size_factors is None:
            return high - low
        return np.log2(1 + high / self.size_factors) - np.log2(1 + low / self.size_factors)


@dataclass(frozen=True)
class CountPrediction:
    """A negative binomial: Poisson counts of a gamma-distributed rate; all fields (entries,)."""

    truth: Entries
    """Molecules set aside."""
    mean: Entries
    """Of the counts."""
    shape: Entries
    """Of the gamma distribution, m² / σ²; infinite for a certain rate."""
    uniform: Entries
    """Uniform on [0, 1): where in its own probability each count falls."""

    @classmethod
    def of(
        cls,
        problem: Problem,
        imputed: Imputed,
        cells: Places,
        genes: Places,
        depth: float,
        uniform: Entries,
    ) -> CountPrediction:
        """Take some entries of a thinned problem; `depth` is that of the test pile over ours.

        A standard deviation on the log2 scale becomes one of counts to first order: times
        d(count) / d(log2) = ln 2 · (count + size factor).
        """
        assert imputed.std is not None
        test: Matrix = problem.hidden.extra["test_counts"]
        factors = problem.observed.size_factors[cells]
        mean = imputed.counts(problem.observed)[cells, genes].astype(np.float64)
        std = imputed.std[cells, genes].astype(np.float64)
        if imputed.scale == "lognorm":
            std = std * np.log(2) * (mean + factors)
        infinite = np.full_like(mean, np.inf)
        shape = np.divide(mean**2, std**2, out=infinite, where=std > 0)
        truth = np.asarray(test[cells, genes], dtype=np.float64).ravel()
        return cls(truth, depth * mean, shape, uniform)

    def pit(self) -> Entries:
        """F(y - 1) + u (F(y) - F(y - 1)): uniform if the counts do follow the distribution F."""
        below, upto = self._cumulative(self.truth - 1), self._cumulative(self.truth)
        return below + self.uniform * (upto - below)

    def width(self, level: float) -> Entries:
        """Between the quantiles (1 ± level) / 2 of the counts, as log2(1 + molecules)."""
        low, high = (self._quantile((1 + sign * level) / 2) for sign in (-1, 1))
        return np.log2(1 + high) - np.log2(1 + low)

    def _cumulative(self, counts: Entries) -> Entries:
        total = np.zeros_like(counts)
        for chosen, distribution in self._parts():
            total[chosen] = distribution.cdf(counts[chosen])
        return total

    def _quantile(self, probability: float) -> Entries:
        counts = np.zeros_like(self.truth)
        for chosen, distribution in self._parts():
            counts[chosen] = distribution.ppf(probability)
        return counts

    def _parts(self) -> list[tuple[NDArray[np.bool_], Any]]:
        """The entries that are Poisson and those that are negative binomial."""
        from scipy import stats

        poisson = (self.shape > _NEARLY_POISSON) | (self.mean == 0)
        gamma = ~poisson
        shape, mean = self.shape[gamma], self.mean[gamma]
        return [
            (poisson, stats.poisson(self.mean[poisson])),
            (gamma, stats.nbinom(shape, shape / (shape + mean))),
        ]
