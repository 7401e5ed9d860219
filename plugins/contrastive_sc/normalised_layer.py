"""Batch normalisation of each view, ReLU, and the way back through both, in one pass each."""

from __future__ import annotations

from typing import Any

import numpy as np
from impbench_plugins.shared.compiled import njit

MOMENTUM, TINY = np.float32(0.1), np.float32(1e-5)
"""Batch normalisation as PyTorch starts it: weight of the newest batch, and what is added to a
variance."""


@njit(error_model="numpy", nogil=True)
def activate(
    x: Any, gain: Any, shift: Any, running: Any, normalised: Any, active: Any, scales: Any
) -> None:
    """Normalise each view by its own mean and variance, and let ReLU follow.

    Parameters
    ----------
    x
        (views · cells, width) float32: the layer's sums, the views one below the other.
    gain, shift
        (width,).
    running
        (2, width) running means and variances, which every view renews.
    normalised, active
        As `x`: filled with the values after the normalisation, and after ReLU.
    scales
        (views, width): filled with 1 / standard deviation.
    """
    n = x.shape[0] // scales.shape[0]
    count, unbiased = np.float32(n), np.float32(n / (n - 1))
    for view in range(scales.shape[0]):
        rows = slice(view * n, (view + 1) * n)
        values, centred, output = x[rows], normalised[rows], active[rows]
        mean, variance, scale = np.zeros_like(gain), np.zeros_like(gain), scales[view]
        for i in range(n):
            for unit in range(mean.size):
                mean[unit] += values[i, unit]
        mean /= count
        for i in range(n):
            for unit in range(mean.size):
                d = values[i, unit] - mean[unit]
                centred[i, unit] = d
                variance[unit] += d * d
        variance /= count
        for unit in range(mean.size):
            scale[unit] = np.float32(1) / np.sqrt(variance[unit] + TINY)
            running[0, unit] += MOMENTUM * (mean[unit] - running[0, unit])
            running[1, unit] += MOMENTUM * (variance[unit] * unbiased - running[1, unit])
        for i in range(n):
            for unit in range(mean.size):
                value = centred[i, unit] * scale[unit]
                centred[i, unit] = value
                output[i, unit] = max(value * gain[unit] + shift[unit], np.float32(0))


@njit(error_model="numpy", nogil=True)
def back_through_activation(
    by: Any, gain: Any, normalised: Any, active: Any, scales: Any, by_gain: Any, by_shift: Any
) -> None:
    """Turn derivatives by the activated values into those by the layer's sums, in place.

    The first is (views · cells, width); `by_gain` and `by_shift`, (width,), are filled. The others
    are what `activate` left.
    """
    n = by.shape[0] // scales.shape[0]
    count = np.float32(n)
    by_gain[:] = np.float32(0)
    by_shift[:] = np.float32(0)
    for view in range(scales.shape[0]):
        rows = slice(view * n, (view + 1) * n)
        g, y, a, scale = by[rows], normalised[rows], active[rows], scales[view]
        mean, along = np.zeros_like(gain), np.zeros_like(gain)
        for i in range(n):
            for unit in range(gain.size):
                given = g[i, unit] if a[i, unit] > 0 else np.float32(0)
                by_gain[unit] += given * y[i, unit]
                by_shift[unit] += given
                given *= gain[unit]
                g[i, unit] = given
                mean[unit] += given
                along[unit] += given * y[i, unit]
        mean /= count
        along /= count
        for i in range(n):
            for unit in range(gain.size):
                g[i, unit] = (g[i, unit] - (mean[unit] + y[i, unit] * along[unit])) * scale[unit]
