"""The size under which one gene's counts are most likely, climbed to as the original climbs.

Counts are negative binomial with mean μβ_i and size s; μ is known. The optimum itself is not what
the prior holds: the original ends where its optimiser stops, which on a flat likelihood, that of a
nearly Poisson gene, can be far from it. So this is the same optimiser, the spectral projected
gradient (Birgin, Martínez and Raydan 2000, SIAM Journal on Optimization 10:1196), in s, not ln s.
"""

from __future__ import annotations

import math

import numpy as np
from impbench_plugins.shared.compiled import njit, njit_unkept
from numpy.typing import NDArray

Floats = NDArray[np.float64]

GRADIENT_STEP = 1e-7
"""The original differentiates by forward differences of this width."""
SMALL_GRADIENT = 1e-5
MOST_EVALUATIONS = 500
MOST_STEPS = 1500
MEMORY = 10
"""A step must improve on the worst of so many last costs."""
SUFFICIENT = 1e-4
FEW = 16
"""Up to here Γ(s + x) / Γ(s) is multiplied out; from here on Stirling's series is exact."""


def marginal_sizes(
    counts: Floats, means: Floats, capture: Floats, starts: Floats, smallest: float, largest: float
) -> Floats:
    """Return the size of each gene, (genes,).

    Parameters
    ----------
    counts
        (genes, cells) float64.
    means
        (genes,) μ, of the original molecules.
    capture
        (cells,) β.
    starts
        (genes,) sizes to start from.
    smallest, largest
        Bounds of the sizes.
    """
    sizes = np.empty(len(means))
    _climb_all(counts, np.sort(counts, axis=1), means, capture, starts, smallest, largest, sizes)
    return sizes


def compile_sizes() -> None:
    """Compile the search, for `prepare`."""
    counts = np.array([[0.0, 2.0, 30.0]])
    marginal_sizes(counts, np.ones(1), np.full(3, 0.1), np.ones(1), 0.1, 2.0)


@njit(nogil=True, error_model="numpy")
def cost(counts: Floats, means: Floats, size: float, tallies: Floats) -> tuple[float, float]:
    """Return −log likelihood, without the terms that are free of the size, and its derivative.

    −ln p = Σ (s + x) ln(1 + μβ/s) − ln[Γ(s + x) / (Γ(s) sˣ)].

    Parameters
    ----------
    counts, means
        (cells,) x and μβ.
    tallies
        (values, 2) the different positive counts, and how many cells have each.
    """
    value = slope = 0.0
    for cell in range(len(counts)):
        ratio = means[cell] / size
        growth = math.log1p(ratio)
        value += (size + counts[cell]) * growth
        slope += growth - (size + counts[cell]) * ratio / (size + means[cell])
    for row in range(len(tallies)):
        rise, change = _log_rising(tallies[row, 0], size)
        value -= tallies[row, 1] * rise
        slope -= tallies[row, 1] * change
    return value, slope


@njit(nogil=True, error_model="numpy")
def tally(ordered: Floats) -> Floats:
    """Return the different positive counts and how often each comes, (values, 2).

    Parameters
    ----------
    ordered
        (cells,) counts, rising.
    """
    tallies = np.empty((len(ordered), 2))
    n = 0
    for cell in range(len(ordered)):
        if n > 0 and tallies[n - 1, 0] == ordered[cell]:
            tallies[n - 1, 1] += 1.0
        elif ordered[cell] > 0.0:
            tallies[n, 0] = ordered[cell]
            tallies[n, 1] = 1.0
            n += 1
    return tallies[:n]


@njit(nogil=True, error_model="numpy")
def _climb_all(
    counts: Floats,
    ordered: Floats,
    means: Floats,
    capture: Floats,
    starts: Floats,
    smallest: float,
    largest: float,
    sizes: Floats,
) -> None:
    """Fill `sizes`; `ordered` holds each gene's counts rising."""
    caught = np.empty(len(capture))
    for gene in range(len(means)):
        for cell in range(len(capture)):
            caught[cell] = means[gene] * capture[cell]
        tallies = tally(ordered[gene])
        sizes[gene] = _climb(counts[gene], caught, tallies, starts[gene], smallest, largest)


@njit_unkept(nogil=True, error_model="numpy")
def _climb(
    counts: Floats, means: Floats, tallies: Floats, start: float, smallest: float, largest: float
) -> float:
    size = min(max(start, smallest), largest)
    value, slope = _cost_as_differenced(counts, means, size, tallies)
    evaluations = 1
    recent = np.empty(MEMORY)
    recent[:] = -1e99
    recent[0] = value
    best, lowest = size, value
    move = min(max(size - slope, smallest), largest) - size
    step = min(max(1.0 / abs(move), 1e-30), 1e30) if move != 0.0 else 1.0
    for n_steps in range(1, MOST_STEPS + 2):
        if not abs(move) > SMALL_GRADIENT:
            break
        direction = min(max(size - step * slope, smallest), largest) - size
        descent = slope * direction
        bound = recent[0]
        for last in range(1, MEMORY):
            bound = max(bound, recent[last])
        share = 1.0
        new = size + direction
        new_value, new_slope = _cost_as_differenced(counts, means, new, tallies)
        evaluations += 1
        while new_value > bound + SUFFICIENT * share * descent:
            if evaluations > MOST_EVALUATIONS:
                return best
            share = _shorter(share, descent, new_value - value)
            new = size + share * direction
            new_value, new_slope = _cost_as_differenced(counts, means, new, tallies)
            evaluations += 1
        moved, bent = new - size, new_slope - slope
        step = min(max(abs(moved / bent), 1e-30), 1e30) if bent != 0.0 else 1e30
        size, value, slope = new, new_value, new_slope
        recent[n_steps % MEMORY] = value
        move = min(max(size - slope, smallest), largest) - size
        if value < lowest:
            best, lowest = size, value
    return best


@njit_unkept(nogil=True, error_model="numpy")
def _cost_as_differenced(
    counts: Floats, means: Floats, size: float, tallies: Floats
) -> tuple[float, float]:
    """Return cost and slope at `size`, the latter as a forward difference without its rounding."""
    half = 0.5 * GRADIENT_STEP
    value, slope = cost(counts, means, size + half, tallies)
    return value - half * slope, slope


@njit_unkept(nogil=True, error_model="numpy")
def _shorter(share: float, descent: float, gain: float) -> float:
    """Return a smaller share of a step: where a parabola is lowest, or half."""
    if share <= 0.1:
        return 0.5 * share
    lowest = -descent * share * share / (2.0 * (gain - share * descent))
    return lowest if 0.1 <= lowest <= 0.9 * share else 0.5 * share


@njit_unkept(nogil=True, error_model="numpy")
def _log_rising(x: float, size: float) -> tuple[float, float]:
    """Return ln[Γ(s + x) / (Γ(s) sˣ)] = Σ_{j<x} ln(1 + j/s) and its derivative in s."""
    product, value, slope = 1.0, 0.0, 0.0
    for j in range(1, int(min(x, FEW))):
        product *= 1.0 + j / size
        slope -= j / (size * (size + j))
        if product > 1e200:
            value += math.log(product)
            product = 1.0
    value += math.log(product)
    if x <= FEW:
        return value, slope
    low, high, more = size + FEW, size + x, x - FEW
    growth = math.log1p(more / low)
    value += (high - 0.5) * growth - more + _stirling(high) - _stirling(low)
    value += more * math.log1p(FEW / size)
    slope += growth + _digamma_tail(high) - _digamma_tail(low) - more / size
    return value, slope


@njit_unkept(nogil=True, error_model="numpy")
def _stirling(z: float) -> float:
    """Return ln Γ(z) − [(z − ½) ln z − z + ½ ln 2π], to 1e-14 for z from 16."""
    inverse = 1.0 / z
    square = inverse * inverse
    return inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680)))


@njit_unkept(nogil=True, error_model="numpy")
def _digamma_tail(z: float) -> float:
    """Return ψ(z) − ln z, to 1e-13 for z from 16."""
    square = 1.0 / (z * z)
    return -0.5 / z - square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square / 240)))
