"""Passes over the cells that the lasso makes for its predictors: nearly all of its time.

Sums may be taken in any order here, which lets the compiler use vector instructions.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from impbench_plugins.shared.compiled import njit, njit_unkept
from numpy.typing import NDArray

Vector = NDArray[np.float64]

_SUMS = {"reassoc", "contract"}


class Moments(NamedTuple):
    """Mean and standard deviation of each predictor, (p,), and whether it varies."""

    centre: Vector
    spread: Vector
    varies: NDArray[np.bool_]


class Predictors(NamedTuple):
    """What all regressions share; none of it is ever written to.

    Attributes
    ----------
    values
        (p, n) float64, one predictor per row.
    over_all
        Their moments over all cells.
    rounded
        (p, n) float32, (value − centre) / spread: half the memory to pass through.
    """

    values: NDArray[np.float64]
    over_all: Moments
    rounded: NDArray[np.float32]

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Predictors:
        """Take predictors, (p, n) float64, p and n at least 1."""
        over_all = moments(values, np.ones(values.shape[1], dtype=np.bool_))
        rounded = np.empty(values.shape, dtype=np.float32)
        for k, row in enumerate(values):
            rounded[k] = (row - over_all.centre[k]) / over_all.spread[k]
        return cls(values, over_all, rounded)


@njit(nogil=True)
def moments(predictors: NDArray[np.float64], used: NDArray[np.bool_]) -> Moments:
    """Return the moments of the predictors, (p, n), over the used cells; a spread of 0 as 1."""
    p = len(predictors)
    weight = used / used.sum()
    centre, spread, varies = np.zeros(p), np.ones(p), np.zeros(p, dtype=np.bool_)
    for k in range(p):
        centre[k] = dot_row(predictors, k, weight)
        square = curve(predictors, k, weight, centre[k])[1]
        # What rounding leaves of a constant is no variation.
        varies[k] = square > 1e-24 * (1.0 + centre[k] ** 2)
        if varies[k]:
            spread[k] = math.sqrt(square)
    return Moments(centre, spread, varies)


@njit(nogil=True, fastmath=_SUMS)
def take_from_residual(
    residual: Vector,
    working: Vector,
    predictors: NDArray[np.float64],
    k: int,
    slope: float,
    offset: float,
    following: int,
) -> float:
    """Take w (slope · predictor k + offset) off the residual.

    Returns its inner product with the predictor that comes next, which saves a pass.
    """
    total = 0.0
    for i in range(len(residual)):
        left = residual[i] - working[i] * (slope * predictors[k, i] + offset)
        residual[i] = left
        total += predictors[following, i] * left
    return total


@njit(nogil=True, fastmath=_SUMS)
def add_vector(factor: float, x: Vector, y: Vector) -> None:
    """Add `factor` times x to y."""
    for i in range(len(y)):
        y[i] += factor * x[i]


@njit(nogil=True, fastmath=_SUMS)
def add_rows(
    factor: Vector, predictors: NDArray[np.float64], rows: NDArray[np.int64], y: Vector
) -> None:
    """Add `factor` times four rows of the predictors to y."""
    a, b, c, d = factor[0], factor[1], factor[2], factor[3]
    k, m, p, q = rows[0], rows[1], rows[2], rows[3]
    for i in range(len(y)):
        first = a * predictors[k, i] + b * predictors[m, i]
        y[i] += first + (c * predictors[p, i] + d * predictors[q, i])


@njit_unkept(nogil=True, fastmath=_SUMS)
def dot_row(predictors: NDArray[np.float64], k: int, values: Vector) -> float:
    """Return the inner product of a predictor with values of the cells."""
    total = 0.0
    for i in range(len(values)):
        total += predictors[k, i] * values[i]
    return total


@njit(nogil=True, fastmath=_SUMS)
def dot_rounded(rounded: NDArray[np.float32], k: int, values: NDArray[np.float32]) -> np.float32:
    """Return the inner product of a rounded predictor with rounded values of the cells."""
    total = np.float32(0.0)
    for i in range(len(values)):
        total += rounded[k, i] * values[i]
    return total


@njit_unkept(nogil=True, fastmath=_SUMS)
def curve(
    predictors: NDArray[np.float64], k: int, working: Vector, centre: float
) -> tuple[float, float]:
    """Return Σ w (x − centre) and Σ w (x − centre)²."""
    square, linear = 0.0, 0.0
    for i in range(len(working)):
        distance = predictors[k, i] - centre
        linear += working[i] * distance
        square += working[i] * distance * distance
    return linear, square
