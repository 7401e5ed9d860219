"""Logistic regression on one variable, by the steps of R's `glm`.

Where the two classes can nearly be separated the likelihood has no maximum: coefficients grow until
the deviance stops changing, and their size is that of the step at which it does. So start, limits
and the rule to stop are `glm`'s, for binomial responses with the logit link.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_STEPS = 100
TOLERANCE = 1e-8
"""Of the deviance, relative; glm's epsilon."""
RANK_TOLERANCE = 1e-11
"""What is left of a column without the ones before it, relative; glm takes less for none."""
LARGEST_PREDICTOR = 30.0
"""Beyond it probabilities are taken as `EPSILON` from 0 or 1."""
EPSILON = float(np.finfo(np.float64).eps)


def fit_logistic(x: Floats, happens: NDArray[np.bool_]) -> tuple[float, float]:
    """Return intercept and slope of the log odds.

    Parameters
    ----------
    x
        (observations,) float64.
    happens
        (observations,) the response.

    Returns
    -------
    The slope is NaN where x does not vary, as glm's.
    """
    y = happens.astype(np.float64)
    predictor = np.log((y + 0.5) / (1.5 - y))
    chance = (y + 0.5) / 2
    deviance = _deviance(y, chance)
    intercept = slope = np.nan
    for _ in range(MOST_STEPS):
        rate = _rate(predictor)
        used = rate != 0
        working = (predictor + (y - chance) / rate)[used]
        weights = np.sqrt(rate**2 / (chance * (1 - chance)))[used]
        intercept, slope = _least_squares(x[used], working, weights)
        predictor = intercept + (0.0 if np.isnan(slope) else slope) * x
        chance = _chance(predictor)
        last, deviance = deviance, _deviance(y, chance)
        if abs(deviance - last) / (abs(deviance) + 0.1) < TOLERANCE:
            break
    return intercept, slope


def _least_squares(x: Floats, y: Floats, weights: Floats) -> tuple[float, float]:
    """Return intercept and slope of weighted y on x, by Householder reflections as R has them."""
    design = np.stack([weights, weights * x], axis=1)
    q, r = np.linalg.qr(design)
    rotated = q.T @ (weights * y)
    if abs(r[1, 1]) < RANK_TOLERANCE * np.linalg.norm(design[:, 1]):
        return float(rotated[0] / r[0, 0]), float("nan")
    slope = rotated[1] / r[1, 1]
    return float((rotated[0] - r[0, 1] * slope) / r[0, 0]), float(slope)


def _odds(predictor: Floats) -> Floats:
    odds: Floats = np.exp(np.clip(predictor, -LARGEST_PREDICTOR, LARGEST_PREDICTOR))
    odds[predictor > LARGEST_PREDICTOR] = 1 / EPSILON
    odds[predictor < -LARGEST_PREDICTOR] = EPSILON
    return odds


def _chance(predictor: Floats) -> Floats:
    odds = _odds(predictor)
    return odds / (1 + odds)


def _rate(predictor: Floats) -> Floats:
    """Return the derivative of the chance in the predictor."""
    odds = np.exp(np.clip(predictor, -LARGEST_PREDICTOR, LARGEST_PREDICTOR))
    return np.where(np.abs(predictor) > LARGEST_PREDICTOR, EPSILON, odds / (1 + odds) ** 2)


def _deviance(y: Floats, chance: Floats) -> float:
    return float(-2 * np.log(np.where(y > 0, chance, 1 - chance)).sum())
