"""How many molecules a cell held of a gene, given how many were counted.

n original molecules are negative binomial (μ, s) and each is caught with probability β. Given x,
the n − x missed are negative binomial too, of size s + x and mean (s + x) μ (1 − β) / (s + μβ)
(Tang et al. 2020).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def missed(
    counts: NDArray[Any], capture: Floats, means: Floats, sizes: Floats
) -> tuple[Floats, Floats]:
    """Return size and mean of the molecules missed, (cells, genes) float64 each.

    Parameters
    ----------
    counts
        (cells, genes) x.
    capture
        (cells,) β.
    means, sizes
        (genes,) μ and s of the prior.
    """
    shape = counts + sizes
    share = means * (1 - capture)[:, None] / (sizes + means * capture[:, None])
    return shape, shape * share


def posterior_mean(counts: NDArray[Any], shape: Floats, mean: Floats) -> Floats:
    """Return the expected number of original molecules."""
    total: Floats = counts + mean
    return total


def posterior_mode(counts: NDArray[Any], shape: Floats, mean: Floats) -> Floats:
    """Return the likeliest number of original molecules, whole; 0 where s + x is at most 1."""
    above = shape > 1
    falling = np.floor(mean * (shape - 1) / shape)
    return np.where(above, counts + falling, 0.0)


def mean_of_draws(
    counts: NDArray[Any], shape: Floats, mean: Floats, n_draws: int, rng: np.random.Generator
) -> Floats:
    """Return the mean of `n_draws` draws of the original molecules.

    So many negative binomials of one mean to size ratio add up to one of as many times the size,
    which is drawn at once.
    """
    rates = rng.gamma(n_draws * shape) * (mean / shape)
    total: Floats = counts + rng.poisson(rates) / n_draws
    return total


def posterior_deviation(shape: Floats, mean: Floats) -> Floats:
    """Return the standard deviation of the number of original molecules."""
    deviation: Floats = np.sqrt(mean + mean**2 / shape)
    return deviation
