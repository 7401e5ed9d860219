"""A mixture of normal distributions, fitted from random starts as R's mixtools 2.0.0 fits it.

Benaglia et al. (2009), mixtools: an R package for analyzing finite mixture models, Journal of
Statistical Software 32(6). The function is `normalmixEM`. Each round updates the means with the
proportions, weighs the values anew, and only then updates the standard deviations (ECM).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from impbench_plugins.shared.compiled import njit, njit_unkept
from impbench_plugins.shared.r_random import Draws
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SETTLED = 1e-8
MOST_ROUNDS = 1000
SMALLEST_SD = 1e-8
MOST_STARTS = 21
SMALLEST_PROPORTION = 0.05
"""Of a start, after which proportions may become smaller."""

NEGLIGIBLE = -600.0
"""Log of a share that is taken as 0: e to less underflows, which takes twenty times as long."""


@dataclass(frozen=True)
class NormalMixture:
    """Proportions, means and standard deviations, each (components,) float64."""

    proportions: Floats
    means: Floats
    sds: Floats

    def crossing(self) -> float | None:
        """Return where two components are equally likely, between their means; none if nowhere.

        Proportions count: it is where p₁ φ₁ = p₂ φ₂.
        """
        p, mean, sd = self.proportions, self.means, self.sds
        square, linear = 0.5 / sd**2, -mean / sd**2
        constant = 0.5 * (mean / sd) ** 2 - np.log(p / sd)
        roots = np.roots([square[0] - square[1], linear[0] - linear[1], constant[0] - constant[1]])
        real = roots.real[np.abs(roots.imag) == 0]
        between = real[(real > mean.min()) & (real < mean.max())]
        # Two crossings between the means leave one component likelier at both of them.
        return float(between[0]) if len(between) == 1 else None


def fit_normal_mixture(x: Floats, n_components: int, draws: Draws) -> NormalMixture | None:
    """Climb from random starts, until one ends without a standard deviation below 1e-8.

    Parameters
    ----------
    x
        (values,) float64.
    draws
        R's stream; what is drawn is what mixtools draws.

    Returns
    -------
    None where mixtools stops with an error: fewer than two values in a bin of the start, all values
    equal, or 21 starts without success.
    """
    x = np.sort(x)
    for _ in range(MOST_STARTS):
        start = _start(x, n_components, draws)
        if start is None:
            return None
        p, mean, sd = start
        collapsed = _climb(x, p, mean, sd)
        if not collapsed:
            found = NormalMixture(p, mean, sd)
            return found if np.isfinite([p, mean, sd]).all() else None
    return None


def _start(x: Floats, n_components: int, draws: Draws) -> tuple[Floats, Floats, Floats] | None:
    """Draw around the means and standard deviations of equal parts of the sorted values."""
    n = len(x)
    bins = [
        x[max(j * n // n_components - 1, 0) : -(-(j + 1) * n // n_components)]
        for j in range(n_components)
    ]
    if min(len(part) for part in bins) < 2:
        return None
    spread = np.array([part.std(ddof=1) for part in bins])
    same = spread == 0
    if same.any():
        spread[same] = draws.uniforms(int(same.sum())) * x.std(ddof=1)
    if not (spread > 0).all():
        return None
    sd = spread / draws.exponentials(n_components)
    mean = np.array([part.mean() for part in bins]) + sd * draws.normals(n_components)
    while True:
        p = draws.uniforms(n_components)
        p /= p.sum()
        if p.min() >= SMALLEST_PROPORTION:
            return p, mean, sd


@njit(nogil=True, error_model="numpy")
def _climb(x: Floats, p: Floats, mean: Floats, sd: Floats) -> bool:
    """Improve the parameters in place; say whether a standard deviation went to 0.

    NaN in the parameters tells of a likelihood that is none.
    """
    shares = np.empty((x.size, p.size))
    before = _weigh(x, p, mean, sd, shares)
    for _ in range(MOST_ROUNDS):
        for k in range(p.size):
            total = moment = 0.0
            for i in range(x.size):
                total += shares[i, k]
                moment += shares[i, k] * x[i]
            p[k] = total / x.size
            mean[k] = moment / total
        _weigh(x, p, mean, sd, shares)
        for k in range(p.size):
            total = squares = 0.0
            for i in range(x.size):
                total += shares[i, k]
                squares += shares[i, k] * (x[i] - mean[k]) ** 2
            p[k] = total / x.size
            sd[k] = math.sqrt(squares / total)
        for k in range(p.size):
            if sd[k] < SMALLEST_SD:
                return True
        after = _weigh(x, p, mean, sd, shares)
        if math.isnan(after):
            p[0] = math.nan
            return False
        if not after - before > SETTLED:
            return False
        before = after
    return False


@njit_unkept(nogil=True, error_model="numpy")
def _weigh(x: Floats, p: Floats, mean: Floats, sd: Floats, shares: Any) -> float:
    """Fill each component's share of each value, (values, components); return Σ ln Σ p φ."""
    n_components = p.size
    likelihood = -0.5 * math.log(2 * math.pi) * x.size
    heights = np.empty(n_components)
    for k in range(n_components):
        heights[k] = math.log(p[k] / sd[k])
    for i in range(x.size):
        largest = -math.inf
        for k in range(n_components):
            z = (x[i] - mean[k]) / sd[k]
            shares[i, k] = heights[k] - 0.5 * z * z
            largest = max(largest, shares[i, k])
        total = 0.0
        for k in range(n_components):
            away = shares[i, k] - largest
            shares[i, k] = math.exp(away) if away > NEGLIGIBLE else 0.0
            total += shares[i, k]
        for k in range(n_components):
            shares[i, k] /= total
        likelihood += math.log(total) + largest
    return likelihood
