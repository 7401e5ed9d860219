"""How likely each entry of a cluster is a dropout (Qi et al. 2021, as SDImpute 0.1 computes it)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .logistic import fit_logistic

Floats = NDArray[np.float64]

LEAST_MEAN = 0.001
"""Added to a mean before it divides."""


def logistic_coefficients(inside: Floats, threshold: float) -> tuple[float, float]:
    """Regress, over genes, "the share of zeros is above the threshold" on the mean count.

    Parameters
    ----------
    inside
        (cells, genes) counts of one cluster.

    Returns
    -------
    Intercept and slope of the log odds.
    """
    return fit_logistic(inside.mean(axis=0), (inside == 0).mean(axis=0) > threshold)


def dropout_probabilities(
    inside: Floats, coefficients: tuple[float, float], repaired: bool = False
) -> Floats:
    """Return the dropout probability of each entry of a cluster, (cells, genes).

    The logistic curve at the entry's own count, times (2/π) arctan(v · sd v), v the gene's
    coefficient of variation.

    Parameters
    ----------
    inside
        (cells, genes) counts of one cluster, at least two of each.
    coefficients
        Intercept and slope.
    repaired
        False: e^η / (1 + e^η) is ∞/∞ for η above 709.78, and then 0, as in the original.
    """
    variation = inside.std(axis=0, ddof=1) / (inside.mean(axis=0) + LEAST_MEAN)
    weight = 2 / np.pi * np.arctan(variation * variation.std(ddof=1))
    log_odds = coefficients[0] + coefficients[1] * inside
    if repaired:
        chance = 1 / (1 + np.exp(-np.clip(log_odds, -700, 700)))
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            odds = np.exp(log_odds)
            chance = odds / (1 + odds)
    probabilities: Floats = np.nan_to_num(weight * chance, nan=0.0)
    return probabilities
