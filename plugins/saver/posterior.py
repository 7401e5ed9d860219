"""Posterior of a gene's expression: gamma prior around a prediction, Poisson counts.

λ ~ Gamma(α, β) with mean α/β = μ, the prediction for the cell, and x ~ Poisson(s λ). How the prior
spreads around μ is not known, so three families of one parameter θ each compete (Huang et al. 2018,
Nature Methods 15:539, Methods): constant coefficient of variation, θ = 1/α; constant Fano factor,
θ = 1/β; constant variance, θ = α/β². θ maximises the marginal likelihood of the gene's counts,
which is negative binomial.
"""

from __future__ import annotations

import math

import numpy as np
from impbench_plugins.shared.compiled import njit, njit_unkept
from numpy.typing import NDArray

Vector = NDArray[np.float64]

VARIATION, FANO, VARIANCE = 0, 1, 2

SMALLEST = 1e-5
"""Stands for θ = 0, where the prior is a point."""
MIN_GAIN = 0.5
"""An optimum no farther than this above the log-likelihood at `SMALLEST` is not trusted."""
MAX_LOSS = 10.0
"""The average over θ reaches to where the log-likelihood lies this far below the optimum."""
N_POINTS = 100
HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)
OPTIMISER_TOLERANCE = np.finfo(np.float64).eps ** 0.25


@njit(nogil=True)
def posterior(counts: Vector, mean: Vector, size_factors: Vector) -> tuple[Vector, Vector]:
    """Return the posterior mean and standard deviation of one gene's expression.

    Parameters
    ----------
    counts
        (cells,) float64, not all 0.
    mean
        (cells,) the prior's mean μ, positive, normalised by size factor.
    size_factors
        (cells,) positive.

    Returns
    -------
    Two vectors (cells,), normalised by size factor: (α + x) / (β + s) and √(α + x) / (β + s), of
    the family and θ under which the counts are most likely. A μ that is the same in all cells
    takes the Fano family. Counts that do not vary between cells leave μ, without deviation.
    """
    y = counts / size_factors
    average = y.mean()
    variance = ((y - average) ** 2).sum() / max(len(y) - 1, 1)
    if not variance > 0.0:
        return mean.copy(), np.zeros(len(y))
    bounds = (variance / average**2, variance / average, variance)
    best, theta, family = np.inf, 0.0, FANO
    constant = mean.min() == mean.max()
    for candidate in (VARIATION, FANO, VARIANCE):
        if constant and candidate != FANO:
            continue
        value, cost = spread(candidate, counts, mean, size_factors, bounds[candidate])
        if cost < best:
            best, theta, family = cost, value, candidate
    shape, rate = prior(family, theta, mean)
    total = rate + size_factors
    return (shape + counts) / total, np.sqrt(shape + counts) / total


@njit(nogil=True)
def prior(family: int, theta: float, mean: Vector) -> tuple[Vector, Vector]:
    """Return α and β, (cells,), of the prior with mean μ and spread θ."""
    if family == VARIATION:
        return np.full(len(mean), 1.0 / theta), 1.0 / (theta * mean)
    if family == FANO:
        return mean / theta, np.full(len(mean), 1.0 / theta)
    return mean**2 / theta, mean / theta


@njit(nogil=True)
def cost(family: int, theta: float, counts: Vector, mean: Vector, size_factors: Vector) -> float:
    """Return −log p(counts | θ) without the terms that depend on the counts alone.

    log p = Σ ln Γ(x + α) − ln Γ(α) + α ln β − (x + α) ln(β + s), plus x ln s − ln x!, left out;
    α ln β is taken as (x + α) ln β − x ln β.
    """
    total = 0.0
    for i in range(len(counts)):
        x, mu = counts[i], mean[i]
        if family == VARIATION:
            shape, rate = 1.0 / theta, 1.0 / (theta * mu)
        elif family == FANO:
            shape, rate = mu / theta, 1.0 / theta
        else:
            shape, rate = mu * mu / theta, mu / theta
        growth = _log1p(size_factors[i] / rate)
        total += (shape + x) * growth
        if x > 0.0:
            total -= _log_rising(shape, x, rate)
    return total


@njit(nogil=True)
def _log_rising(shape: float, x: float, rate: float) -> float:
    """Return ln Γ(α + x) − ln Γ(α) − x ln β."""
    if x <= 16.0 and x == math.floor(x):
        step = 1.0 / rate
        mean = shape * step
        product = mean
        for j in range(1, int(x)):
            product *= mean + j * step
        if 1e-300 < product < 1e300:
            return math.log(product)
    # From Stirling's series, with x (ln(α + x) − ln β) taken together: huge logarithms on their
    # own would leave no digits.
    total = shape + x
    first = x * math.log(total / rate) - x
    if shape >= 100.0:
        return first + (shape - 0.5) * _log1p(x / shape) + _stirling(total) - _stirling(shape)
    if total >= 16.0:
        gamma = (shape - 0.5) * math.log(total) - shape + HALF_LOG_TWO_PI + _stirling(total)
        return first + gamma - math.lgamma(shape)
    return math.lgamma(total) - math.lgamma(shape) - x * math.log(rate)


@njit_unkept(nogil=True)
def _stirling(z: float) -> float:
    """Return the series in ln Γ(z) = (z − ½) ln z − z + ½ ln 2π + …; 1e-14 for z from 16."""
    inverse = 1.0 / z
    square = inverse * inverse
    return inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680)))


@njit_unkept(nogil=True)
def _log1p(x: float) -> float:
    # Not near 0 the plain logarithm is as exact, and twice as fast.
    return math.log(1.0 + x) if x > 0.01 else math.log1p(x)


@njit_unkept(nogil=True)
def spread(
    family: int, counts: Vector, mean: Vector, size_factors: Vector, bound: float
) -> tuple[float, float]:
    """Return the θ of a family, sought below `bound`, and its cost.

    Where the likelihood hardly prefers the optimum to a point prior, θ is the average over points
    that crowd towards 0, weighted by their likelihood, instead of the optimum.
    """
    theta, lowest = _minimise(family, counts, mean, size_factors, bound)
    if cost(family, SMALLEST, counts, mean, size_factors) - lowest >= MIN_GAIN:
        return theta, lowest
    farthest = _where_unlikely(family, counts, mean, size_factors, theta, lowest, bound)
    points, weights = np.empty(N_POINTS), np.empty(N_POINTS)
    for j in range(N_POINTS):
        share = (j + 0.5) / N_POINTS
        points[j] = (math.exp((math.exp(share) - 1.0) / 2.0) - 1.0) * farthest
        weights[j] = math.exp(lowest - cost(family, points[j], counts, mean, size_factors))
    theta = (points * weights).sum() / weights.sum()
    return theta, cost(family, theta, counts, mean, size_factors)


@njit_unkept(nogil=True)
def _where_unlikely(
    family: int,
    counts: Vector,
    mean: Vector,
    size_factors: Vector,
    theta: float,
    lowest: float,
    bound: float,
) -> float:
    """Return the θ between the optimum and the bound at which the log-likelihood has lost 10."""
    low, high = theta, bound
    if cost(family, high, counts, mean, size_factors) - lowest <= MAX_LOSS:
        return high
    while high - low > 1e-4 * high:
        middle = 0.5 * (low + high)
        if cost(family, middle, counts, mean, size_factors) - lowest > MAX_LOSS:
            high = middle
        else:
            low = middle
    return 0.5 * (low + high)


@njit(nogil=True)
def _minimise(
    family: int, counts: Vector, mean: Vector, size_factors: Vector, bound: float
) -> tuple[float, float]:
    """Minimise the cost over (0, bound): golden sections and parabolas (Brent 1973, chapter 5)."""
    golden = 0.5 * (3.0 - math.sqrt(5.0))
    low, high = 0.0, bound
    x = w = v = golden * high
    fx = fw = fv = cost(family, x, counts, mean, size_factors)
    step = last = 0.0
    while True:
        middle = 0.5 * (low + high)
        tol = math.sqrt(np.finfo(np.float64).eps) * abs(x) + OPTIMISER_TOLERANCE / 3.0
        if abs(x - middle) <= 2.0 * tol - 0.5 * (high - low):
            return x, fx
        p = q = 0.0
        if abs(last) > tol:
            r = (x - w) * (fx - fv)
            q = (x - v) * (fx - fw)
            p = (x - v) * q - (x - w) * r
            q = 2.0 * (q - r)
            if q > 0.0:
                p = -p
            else:
                q = -q
        before, last = last, step
        if abs(p) >= abs(0.5 * q * before) or p <= q * (low - x) or p >= q * (high - x):
            last = (low if x >= middle else high) - x
            step = golden * last
        else:
            step = p / q
            u = x + step
            if u - low < 2.0 * tol or high - u < 2.0 * tol:
                step = tol if x < middle else -tol
        u = x + (step if abs(step) >= tol else math.copysign(tol, step))
        fu = cost(family, u, counts, mean, size_factors)
        if fu <= fx:
            if u < x:
                high = x
            else:
                low = x
            v, fv, w, fw, x, fx = w, fw, x, fx, u, fu
        else:
            if u < x:
                low = u
            else:
                high = u
            if fu <= fw or w == x:
                v, fv, w, fw = w, fw, u, fu
            elif fu <= fv or v in (x, w):
                v, fv = u, fu
