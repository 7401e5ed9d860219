"""The size that makes the counts of one gene most likely, searched for as the original does.

Counts are negative binomial with mean μβ_i and size s; μ is known. The optimum itself is not what
the prior holds: the original ends where its optimiser stops. On a flat likelihood, that of a nearly
Poisson gene, this can be far from the optimum, and rounding can decide between a stop on the way
and a leap to the bound. So this is the same optimiser, the spectral projected gradient (Birgin,
Martínez and Raydan 2000, SIAM Journal on Optimization 10:1196; Varadhan and Gilbert 2009) in s, not
in ln s, with the original's differences for a gradient, on a likelihood with its rounding.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .likelihood import log_likelihood

Floats = NDArray[np.float64]

GRADIENT_STEP = 1e-7
"""Of the forward difference."""
SMALL_GRADIENT = 1e-5
SMALL_CHANGE = 1e-10
"""Of the cost; the search ends with it."""
MOST_EVALUATIONS = 500
MOST_STEPS = 1500
MEMORY = 10
"""A step must improve on the worst of so many last costs."""
SUFFICIENT = 1e-4
LONGEST, SHORTEST = 1e30, 1e-30
"""Of a step, in units of the gradient."""


def marginal_size(
    counts: Floats, means: Floats, start: float, smallest: float, largest: float
) -> float:
    """Return the size of one gene.

    Parameters
    ----------
    counts, means
        (cells,) float64, x and μβ.
    start
        Size to start from.
    smallest, largest
        Bounds of the size.
    """

    def cost(at: float) -> float:
        return -float(log_likelihood(counts, means, at))

    def within(at: float) -> float:
        return min(max(at, smallest), largest)

    def slope_at(at: float, value: float) -> float:
        return (cost(at + GRADIENT_STEP) - value) / GRADIENT_STEP

    size = within(start)
    value = cost(size)
    n_evaluations = 1
    recent = [value] + [-math.inf] * (MEMORY - 1)
    best, lowest = size, value
    slope = slope_at(size, value)
    move = within(size - slope) - size
    step = _bounded(1 / abs(move)) if move else 1.0
    for n_steps in range(1, MOST_STEPS + 2):
        if not abs(move) > SMALL_GRADIENT:
            break
        direction = within(size - step * slope) - size
        descent = slope * direction
        bound, share = max(recent), 1.0
        new = size + direction
        new_value = cost(new)
        n_evaluations += 1
        while new_value > bound + SUFFICIENT * share * descent:
            if n_evaluations > MOST_EVALUATIONS:
                return best
            share = _shorter(share, descent, new_value - value)
            new = size + share * direction
            new_value = cost(new)
            n_evaluations += 1
        new_slope = slope_at(new, new_value)
        moved, bent = new - size, new_slope - slope
        squares = bent * bent
        step = _bounded(math.sqrt(moved * moved / squares)) if squares else LONGEST
        change = abs(value - new_value)
        size, value, slope = new, new_value, new_slope
        recent[n_steps % MEMORY] = value
        move = within(size - slope) - size
        if value < lowest:
            best, lowest = size, value
        if change <= SMALL_CHANGE:
            break
    return best


def _bounded(step: float) -> float:
    return min(LONGEST, max(SHORTEST, step))


def _shorter(share: float, descent: float, gain: float) -> float:
    """Return a smaller share of a step: where a parabola is lowest, or half."""
    if share <= 0.1:
        return share / 2
    lowest = -(descent * (share * share)) / (2 * (gain - share * descent))
    return lowest if 0.1 <= lowest <= 0.9 * share else share / 2
