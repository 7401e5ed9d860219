"""A mixture of normal distributions of which values below a limit are counted, not seen.

Wan et al. (2019), LTMG: a novel statistical modeling of transcriptional expression states in
single-cell RNA-Seq data, Nucleic Acids Research 47:e111. With x the values seen, n₀ those below
the limit q and Φ the normal distribution function, the likelihood is

    Π_i Σ_k p_k φ(x_i; μ_k, σ_k) · (Σ_k p_k Φ(α_k))^n₀,   α_k = (q − μ_k) / σ_k,

climbed by expectation and maximisation: of what is not seen, a component has the mean and variance
of its own distribution cut off at q (Cohen 1959; the inverse Mills ratio is λ = φ(α) / Φ(α)),

    E y = μ − σ λ,   Var y = σ² (1 − α λ − λ²).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from impbench_plugins.shared.compiled import njit, njit_unkept
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_ROUNDS = 100
SETTLED = 1e-10
"""Mean absolute change of the proportions, of the means and of the deviations."""

NEGLIGIBLE = -600.0
"""Log of a share that is taken as 0: e to less underflows, which takes twenty times as long."""

FAR = -30.0
"""Below it, Φ(α) is taken from its expansion, as it soon is 0."""


def fit_censored_mixture(x: Floats, n_below: int, limit: float, n_components: int) -> Floats | None:
    """Fit `n_components`, from quantiles and with at most 100 rounds.

    Parameters
    ----------
    x
        (values,) float64, those seen.
    n_below
        How many are below `limit`.
    n_components
        2 or more.

    Returns
    -------
    (3, components) float64: proportions, means, standard deviations. None where the fit breaks
    down: fewer than two different values seen, or a deviation that goes to 0.
    """
    if len(x) < 2 or not np.ptp(x) > 0:
        return None
    fit = np.empty((3, n_components))
    fit[0] = 1 / n_components
    fit[1] = np.quantile(x, np.arange(1, n_components + 1) / (n_components + 1))
    fit[1, 0], fit[1, -1] = x.min() - 1, x.max() + 1
    fit[2] = x.std(ddof=1)
    _climb(x, n_below, limit, fit)
    return fit if np.isfinite(fit).all() and (fit[2] > 0).all() else None


@njit(nogil=True, error_model="numpy")
def _climb(x: Floats, n_below: int, limit: float, fit: Any) -> None:
    """Improve proportions, means and deviations, (3, components), in place."""
    n_components = fit.shape[1]
    n = x.size + n_below
    sums = np.empty((3, n_components))
    below, mills = np.empty(n_components), np.empty(n_components)
    for _ in range(MOST_ROUNDS):
        _sum_seen(x, fit, sums)
        _weigh_below(limit, fit, below, mills)
        change = np.zeros(3)
        for k in range(n_components):
            p, mean, sd = fit[0, k], fit[1, k], fit[2, k]
            unseen = n_below * below[k]
            alpha = (limit - mean) / sd
            variance = sd * sd * max(1 - alpha * mills[k] - mills[k] * mills[k], 0.0)
            total = sums[0, k] + unseen
            # All moments are about the mean before, which then moves by `step`.
            step = (sums[1, k] - unseen * sd * mills[k]) / total
            squares = sums[2, k] + unseen * (variance + (sd * mills[k]) ** 2)
            fit[0, k] = total / n
            fit[1, k] = mean + step
            fit[2, k] = math.sqrt(squares / total - step * step)
            change[0] += abs(fit[0, k] - p)
            change[1] += abs(step)
            change[2] += abs(fit[2, k] - sd)
        if not (change > SETTLED * n_components).any():
            return


@njit_unkept(nogil=True, error_model="numpy")
def _sum_seen(x: Floats, fit: Any, sums: Any) -> None:
    """Sum up each component's shares of the values seen.

    `sums`, (3, components), gets Σ r, Σ r (x − μ) and Σ r (x − μ)².
    """
    n_components = fit.shape[1]
    heights, shares = np.empty(n_components), np.empty(n_components)
    for k in range(n_components):
        heights[k] = math.log(fit[0, k] / fit[2, k])
    sums[:] = 0
    for value in x:
        largest = -math.inf
        for k in range(n_components):
            z = (value - fit[1, k]) / fit[2, k]
            shares[k] = heights[k] - 0.5 * z * z
            largest = max(largest, shares[k])
        total = 0.0
        for k in range(n_components):
            away = shares[k] - largest
            shares[k] = math.exp(away) if away > NEGLIGIBLE else 0.0
            total += shares[k]
        for k in range(n_components):
            share, distance = shares[k] / total, value - fit[1, k]
            sums[0, k] += share
            sums[1, k] += share * distance
            sums[2, k] += share * distance * distance


@njit_unkept(nogil=True, error_model="numpy")
def _weigh_below(limit: float, fit: Any, shares: Any, mills: Any) -> None:
    """Fill each component's share of what lies below the limit, and its λ, (components,)."""
    largest = -math.inf
    for k in range(shares.size):
        alpha = (limit - fit[1, k]) / fit[2, k]
        density = -0.5 * alpha * alpha - 0.5 * math.log(2 * math.pi)
        if alpha > FAR:
            log_below = math.log(0.5 * math.erfc(-alpha / math.sqrt(2.0)))
        else:
            log_below = density - math.log(-alpha) + math.log1p(-1 / (alpha * alpha))
        mills[k] = math.exp(density - log_below)
        shares[k] = math.log(fit[0, k]) + log_below
        largest = max(largest, shares[k])
    total = 0.0
    for k in range(shares.size):
        shares[k] = math.exp(shares[k] - largest)
        total += shares[k]
    for k in range(shares.size):
        shares[k] /= total
