"""The descent of t-SNE with the approximate forces of Barnes and Hut (van der Maaten 2014).

Rtsne's numbers and order of operations: only sums, products, quotients and square roots, so the
bits are the same on any machine that starts from the same ones.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from impbench_plugins.shared.compiled import njit, njit_unkept
from numpy.typing import NDArray

Floats = NDArray[np.float64]

N_DIMENSIONS = 3
ROUNDS = 1000
EXAGGERATED_ROUNDS, EXAGGERATION = 250, 12.0
MOMENTUM, LATE_MOMENTUM = 0.5, 0.8
LEARNING_RATE = 200.0
"""Of a gradient without the factor 4 of its definition."""
SMALLEST_GAIN = 0.01
ANGLE = 0.5
"""A box whose half width is less than this share of its distance acts as one point."""
MARGIN = 1e-5
CHILDREN = 2**N_DIMENSIONS
NONE = -1


@njit(nogil=True, error_model="numpy")
def descend(starts: Any, columns: Any, p: Floats, y: Floats, rounds: int) -> None:
    """Move coordinates down the gradient, in place.

    Parameters
    ----------
    starts, columns, p
        Similarities of points, symmetric and adding to 1, as a CSR matrix.
    y
        (points, 3).
    """
    velocity = np.zeros(y.shape)
    gains = np.ones(y.shape)
    attraction, repulsion = np.empty(y.shape), np.empty(y.shape)
    for i in range(rounds):
        exaggeration = EXAGGERATION if i < EXAGGERATED_ROUNDS else 1.0
        momentum = MOMENTUM if i < EXAGGERATED_ROUNDS else LATE_MOMENTUM
        _attract(starts, columns, p, y, attraction)
        total = repel(y, ANGLE, repulsion)
        for point in range(y.shape[0]):
            for d in range(N_DIMENSIONS):
                slope = exaggeration * attraction[point, d] - repulsion[point, d] / total
                if _sign(slope) != _sign(velocity[point, d]):
                    gains[point, d] += 0.2
                else:
                    gains[point, d] *= 0.8
                gains[point, d] = max(gains[point, d], SMALLEST_GAIN)
                velocity[point, d] *= momentum
                velocity[point, d] -= LEARNING_RATE * gains[point, d] * slope
                y[point, d] += velocity[point, d]
        for d in range(N_DIMENSIONS):
            mean = 0.0
            for point in range(y.shape[0]):
                mean += y[point, d]
            mean /= y.shape[0]
            for point in range(y.shape[0]):
                y[point, d] -= mean


@njit_unkept(nogil=True)
def _sign(x: float) -> int:
    return int(x > 0) - int(x < 0)


@njit_unkept(nogil=True, error_model="numpy")
def _attract(starts: Any, columns: Any, p: Floats, y: Floats, force: Floats) -> None:
    force[:] = 0.0
    for point in range(y.shape[0]):
        for place in range(starts[point], starts[point + 1]):
            other = columns[place]
            square = 1.0
            for d in range(N_DIMENSIONS):
                square += (y[point, d] - y[other, d]) ** 2
            for d in range(N_DIMENSIONS):
                force[point, d] += p[place] / square * (y[point, d] - y[other, d])


@njit(nogil=True, error_model="numpy")
def repel(y: Floats, angle: float, force: Floats) -> float:
    """Fill `force`, (points, 3), and return Σ q over all pairs, by which it is to be divided.

    A point's force is Σ_j q_j² (y − y_j) with q_j = 1 / (1 + |y − y_j|²).
    """
    room, n_boxes = 4 * len(y) + 64, 0
    while n_boxes == 0:
        room *= 2
        widths, masses = np.empty(room), np.zeros(room, np.int64)
        centres, middles = np.zeros((room, N_DIMENSIONS)), np.empty((room, N_DIMENSIONS))
        children, holds = np.full(room, NONE), np.full(room, NONE)
        n_boxes = _plant(y, widths, masses, centres, middles, children, holds)
    total = 0.0
    stack = np.empty(n_boxes, np.int64)
    away = np.empty(N_DIMENSIONS)
    force[:] = 0.0
    for point in range(len(y)):
        stack[0] = 0
        waiting = 1
        while waiting:
            waiting -= 1
            box = stack[waiting]
            if masses[box] == 0 or holds[box] == point:
                continue
            square = 0.0
            for d in range(N_DIMENSIONS):
                away[d] = y[point, d] - centres[box, d]
                square += away[d] * away[d]
            if children[box] == NONE or widths[box] < angle * math.sqrt(square):
                q = 1.0 / (1.0 + square)
                total += masses[box] * q
                for d in range(N_DIMENSIONS):
                    force[point, d] += masses[box] * q * q * away[d]
            else:
                for child in range(CHILDREN - 1, -1, -1):
                    stack[waiting] = children[box] + child
                    waiting += 1
    return total


@njit_unkept(nogil=True, error_model="numpy")
def _plant(
    y: Floats,
    widths: Floats,
    masses: Any,
    centres: Floats,
    middles: Floats,
    children: Any,
    holds: Any,
) -> int:
    """Halve boxes in all dimensions until each holds one point, or copies of one.

    Fills, for each box, its largest half width, the number of its points, their mean, its middle,
    the first of its eight children and the point that it holds, -1 where there is none.

    Returns
    -------
    The number of boxes; 0 if there is no room for all.
    """
    half = np.empty(N_DIMENSIONS)
    for d in range(N_DIMENSIONS):
        low, high, total = y[0, d], y[0, d], 0.0
        for point in range(len(y)):
            low, high, total = min(low, y[point, d]), max(high, y[point, d]), total + y[point, d]
        middles[0, d] = total / len(y)
        half[d] = max(high - middles[0, d], middles[0, d] - low) + MARGIN
    widths[0] = max(half[0], half[1], half[2])
    n_boxes = 1
    for point in range(len(y)):
        box, share = 0, 1.0
        while True:
            masses[box] += 1
            n = masses[box]
            for d in range(N_DIMENSIONS):
                centres[box, d] = centres[box, d] * ((n - 1) / n) + y[point, d] / n
            if n == 1:
                holds[box] = point
                break
            if children[box] == NONE:
                other = holds[box]
                if _same(y[point], y[other]):
                    break
                if n_boxes + CHILDREN > len(masses):
                    return 0
                children[box] = n_boxes
                for child in range(CHILDREN):
                    widths[n_boxes] = 0.5 * widths[box]
                    for d in range(N_DIMENSIONS):
                        side = -0.5 if (child >> d) & 1 else 0.5
                        middles[n_boxes, d] = middles[box, d] + side * share * half[d]
                    n_boxes += 1
                # What the box held goes one level down, with its copies.
                below = children[box] + _side(middles[box], y[other])
                masses[below], holds[below], holds[box] = n - 1, other, NONE
                for d in range(N_DIMENSIONS):
                    centres[below, d] = y[other, d]
            box = children[box] + _side(middles[box], y[point])
            share *= 0.5
    return n_boxes


@njit_unkept(nogil=True)
def _same(one: Floats, other: Floats) -> bool:
    return bool(one[0] == other[0] and one[1] == other[1] and one[2] == other[2])


@njit_unkept(nogil=True)
def _side(middle: Floats, point: Floats) -> int:
    """Return which child of a box a point lies in: bit d is set where it is below the middle."""
    child = 0
    for d in range(N_DIMENSIONS):
        child += (point[d] < middle[d]) << d
    return child
