"""A gamma plus a normal distribution for one gene in one group of cells (Li and Li 2018, eq. 1).

The gamma component stands for dropouts, the normal one for expression. Values are log10(CPM +
1.01), so that a zero lies at `POINT` = log10(1.01). Parameters of a gene are a row (rate, α, β, μ,
σ): the dropout rate, shape and rate of the gamma, mean and standard deviation of the normal.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from impbench_plugins.shared.compiled import njit, njit_unkept
from numpy.typing import NDArray

Floats = NDArray[np.float64]

POINT = math.log10(1.01)
LARGEST_SHAPE = 20.0
SETTLED = 0.5
MOST_ROUNDS = 100


def log_cpm(counts: NDArray[Any]) -> Floats:
    """Return log10(10⁶ count / library size + 1.01), (cells, genes) float64; no cell is empty."""
    values = counts.astype(np.float64)
    values *= 1e6 / values.sum(axis=1, keepdims=True)
    values += 1.01
    return np.log10(values, out=values)


@njit(nogil=True, error_model="numpy")
def fit_mixtures(values: Floats) -> Floats:
    """Fit every gene by expectation and maximisation.

    Starts from the share of zeros (0.01 if there are none), α = 0.5, β = 1 and the mean and
    standard deviation of the rest; ends when the log10-likelihood changes by no more than √0.5 or
    after 100 rounds.

    Parameters
    ----------
    values
        (cells, genes) log10(CPM + 1.01).

    Returns
    -------
    (genes, 5) parameters; NaN for a gene that fewer than two cells express or whose fit breaks
    down.
    """
    n_cells, n_genes = values.shape
    parameters = np.full((n_genes, 5), np.nan)
    x = np.empty(n_cells)
    logs = np.empty(n_cells)
    doubt = np.empty(n_cells)
    for gene in range(n_genes):
        n_expressing = 0
        for cell in range(n_cells):
            x[cell] = values[cell, gene]
            logs[cell] = math.log(x[cell])
            n_expressing += abs(x[cell] - POINT) >= 1e-10
        if n_expressing > 1:
            _fit(x, logs, doubt, parameters[gene])
    return parameters


@njit(nogil=True, error_model="numpy")
def dropout_probabilities(values: Floats, parameters: Floats) -> Floats:
    """Return each value's probability of being a dropout: the gamma's share of the density.

    A value above the normal's mean has probability 0.

    Parameters
    ----------
    values
        (cells, genes).
    parameters
        (genes, 5) without NaN.

    Returns
    -------
    (cells, genes) float64.
    """
    n_cells, n_genes = values.shape
    result = np.empty((n_cells, n_genes))
    for gene in range(n_genes):
        p = parameters[gene]
        for cell in range(n_cells):
            x = values[cell, gene]
            gamma = p[0] * _gamma_density(x, math.log(x), p[1], p[2])
            normal = (1.0 - p[0]) * _normal_density(x, p[3], p[4])
            result[cell, gene] = 0.0 if x > p[3] else gamma / (gamma + normal)
    return result


def valid_genes(parameters: Floats) -> NDArray[np.bool_]:
    """Tell which genes' mixtures separate dropout from expression, (genes,).

    They were fitted, the normal lies above log10(2.01), and where it is low (μ ≤ 1) it exceeds the
    gamma at μ + 1.
    """
    valid = np.isfinite(parameters).all(axis=1)
    for gene in np.flatnonzero(valid):
        _, shape, rate, mean, deviation = parameters[gene]
        at = mean + 1.0
        low = mean <= 1.0 and _gamma_density(at, math.log(at), shape, rate) >= _normal_density(
            at, mean, deviation
        )
        valid[gene] = mean > math.log10(2.01) and not low
    return valid


@njit(nogil=True, error_model="numpy")
def _gamma_density(x: float, log_x: float, shape: float, rate: float) -> float:
    """Density of the gamma distribution at `x` > 0."""
    return math.exp(shape * math.log(rate) - math.lgamma(shape) + (shape - 1.0) * log_x - rate * x)


@njit(nogil=True, error_model="numpy")
def _normal_density(x: float, mean: float, deviation: float) -> float:
    """Density of the normal distribution; infinite at the mean if it does not vary."""
    if deviation == 0.0:
        return np.inf if x == mean else 0.0
    z = (x - mean) / deviation
    return math.exp(-0.5 * z * z) / (deviation * math.sqrt(2.0 * math.pi))


@njit_unkept(nogil=True, error_model="numpy")
def _fit(x: Floats, logs: Floats, doubt: Floats, p: Floats) -> None:
    """Fill `p`, unless the fit breaks down: a value of density 0, or a deviation of 0."""
    n = x.shape[0]
    n_point = 0
    total = 0.0
    for value in x:
        if abs(value - POINT) < 1e-10:
            n_point += 1
        else:
            total += value
    n_rest = n - n_point
    mean = total / n_rest
    squares = 0.0
    for value in x:
        if abs(value - POINT) >= 1e-10:
            squares += (value - mean) ** 2
    rate = n_point / n if n_point > 0 else 0.01
    deviation = math.sqrt(squares / (n_rest - 1))
    shape, gamma_rate = 0.5, 1.0

    before = 0.0
    for _ in range(MOST_ROUNDS):
        w_gamma = w_gamma_x = w_gamma_log = w_normal_x = 0.0
        for i in range(n):
            gamma = rate * _gamma_density(x[i], logs[i], shape, gamma_rate)
            normal = (1.0 - rate) * _normal_density(x[i], mean, deviation)
            doubt[i] = gamma / (gamma + normal)
            w_gamma += doubt[i]
            w_gamma_x += doubt[i] * x[i]
            w_gamma_log += doubt[i] * logs[i]
            w_normal_x += (1.0 - doubt[i]) * x[i]
        w_normal = n - w_gamma
        rate = w_gamma / n
        mean = w_normal_x / w_normal
        squares = 0.0
        for i in range(n):
            squares += (1.0 - doubt[i]) * (x[i] - mean) ** 2
        deviation = math.sqrt(squares / w_normal)
        shape = _gamma_shape(math.log(w_gamma_x / w_gamma) - w_gamma_log / w_gamma)
        gamma_rate = shape * w_gamma / w_gamma_x

        likelihood = 0.0
        for i in range(n):
            density = rate * _gamma_density(x[i], logs[i], shape, gamma_rate)
            density += (1.0 - rate) * _normal_density(x[i], mean, deviation)
            likelihood += math.log10(density)
        change = (likelihood - before) ** 2
        before = likelihood
        if not change > SETTLED:
            break
    if math.isfinite(likelihood + rate + shape + gamma_rate + mean + deviation):
        p[0], p[1], p[2], p[3], p[4] = rate, shape, gamma_rate, mean, deviation


@njit_unkept(nogil=True, error_model="numpy")
def _gamma_shape(spread: float) -> float:
    """Solve ln α − ψ(α) = `spread` (maximum likelihood), at most `LARGEST_SHAPE`."""
    if not spread > 0.0:
        return LARGEST_SHAPE
    # Minka (2002) gives α to 1.5 %.
    shape = (3.0 - spread + math.sqrt((spread - 3.0) ** 2 + 24.0 * spread)) / (12.0 * spread)
    if shape >= LARGEST_SHAPE:
        return LARGEST_SHAPE
    for _ in range(20):
        digamma, trigamma = _digamma_and_derivative(shape)
        step = (math.log(shape) - digamma - spread) / (1.0 / shape - trigamma)
        shape -= step
        if abs(step) <= 1e-12 * shape:
            break
    return shape


@njit_unkept(nogil=True, error_model="numpy")
def _digamma_and_derivative(x: float) -> tuple[float, float]:
    """Return ψ(x) and ψ'(x) for x > 0, by recurrence to x ≥ 8 and the asymptotic series."""
    first = second = 0.0
    while x < 8.0:
        first -= 1.0 / x
        second += 1.0 / (x * x)
        x += 1.0
    r = 1.0 / (x * x)
    first += math.log(x) - 0.5 / x
    first -= r * (1 / 12 - r * (1 / 120 - r * (1 / 252 - r * (1 / 240 - r / 132))))
    second += 1.0 / x + 0.5 * r
    second += r / x * (1 / 6 - r * (1 / 30 - r * (1 / 42 - r * (1 / 30 - r * 5 / 66))))
    return first, second
