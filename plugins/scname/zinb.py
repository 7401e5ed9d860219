"""scNAME's likelihood of counts: zero-inflated negative binomial (Wan et al. 2022, its first loss).

With x_μ, x_θ, x_π the last layer's outputs of an entry and s the cell's size factor,

    μ = s · clip(e^{x_μ}),  θ = clip(ln(1 + e^{x_θ})),  π = 1 / (1 + e^{−x_π})
    y = 0:  −ln( π + (1 − π) (θ / (θ + μ))^θ + ε ) + λ π²
    y > 0:  −ln NB(y; μ, θ) − ln(1 − π + ε) + λ π²

and the loss is the mean over cells and genes. Training needs its derivatives alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from impbench_plugins.shared.compiled import njit, njit_unkept
from impbench_plugins.shared.flat_weights import Float32

MEAN_BOUNDS = (1e-5, 1e6)
DISPERSION_BOUNDS = (1e-4, 1e4)
RIDGE = 1.0
"""λ: it keeps π, which could explain every zero, small."""
EPSILON = 1e-10

HEADS = 3


def zinb_gradient(heads: Float32, counts: Float32, factors: Float32) -> None:
    """Replace outputs of the last layer by the loss's derivatives by them, in place.

    Parameters
    ----------
    heads
        (cells, 3 · genes): x_π, x_θ and x_μ side by side.
    counts
        (cells, genes), whole numbers.
    factors
        (cells,) size factors.
    """
    # NumPy's exponentials and logarithms run in vectors, compiled ones would not.
    x_pi, x_theta, x_mu = np.split(heads, HEADS, axis=1)
    pi = 1 / (1 + np.exp(-np.clip(x_pi, -80, 80)))
    free_theta = np.maximum(x_theta, 0) + np.log(1 + np.exp(-np.abs(x_theta)))
    theta = np.clip(free_theta, *DISPERSION_BOUNDS)
    free_mean = np.exp(np.minimum(x_mu, 20))
    mean = np.clip(free_mean, *MEAN_BOUNDS)
    mu = mean * factors[:, None]
    # What a clip holds fast does not learn.
    slope = (1 - np.exp(-free_theta)) * (theta == free_theta)
    learns = (mean == free_mean).astype(np.float32)
    log_ratio = np.log(1 + mu / theta)
    zero = np.exp(-theta * log_ratio)
    _finish(counts, mu, theta, pi, log_ratio, zero, slope, learns, x_pi, x_theta, x_mu)


@njit(fastmath={"contract", "nsz"}, error_model="numpy", nogil=True)
def _finish(
    counts: Any, mu: Any, theta: Any, pi: Any, log_ratio: Any, zero: Any, slope: Any, learns: Any,
    by_pi: Any, by_theta: Any, by_mu: Any,
) -> None:  # fmt: skip
    """Fill the last three, all (cells, genes), from the rest."""
    scale = 1.0 / counts.size
    for i in range(counts.shape[0]):
        for j in range(counts.shape[1]):
            y, m, t = np.float64(counts[i, j]), np.float64(mu[i, j]), np.float64(theta[i, j])
            p, z = np.float64(pi[i, j]), np.float64(zero[i, j])
            rest = 1.0 / (t + m)
            gain = np.float64(log_ratio[i, j]) + (y - m) * rest
            if y == 0:
                likelihood = p + (1.0 - p) * z + EPSILON
                # Share of NB in the probability of a zero.
                share = (1.0 - p) * z / likelihood
                change = -(1.0 - z) / likelihood
            else:
                share, change = np.float64(1.0), 1.0 / (1.0 - p + EPSILON)
                gain -= _digamma_difference(y, t)
            by_pi[i, j] = scale * p * (1.0 - p) * (change + 2.0 * RIDGE * p)
            by_theta[i, j] = scale * slope[i, j] * share * gain
            by_mu[i, j] = scale * learns[i, j] * share * t * (m - y) * rest


@njit_unkept(error_model="numpy", nogil=True)
def _digamma_difference(y: Any, theta: Any) -> Any:
    """ψ(θ + y) − ψ(θ): six steps of ψ(x + 1) = ψ(x) + 1 / x, then the asymptotic series."""
    # The six differences as one fraction, since a division is what costs.
    top, bottom = 0.0, 1.0
    for k in range(6):
        product = (theta + k) * (theta + y + k)
        top = top * product + bottom
        bottom *= product
    a, b = theta + y + 6.0, theta + 6.0
    return np.log(a / b) + _tail(b) - _tail(a) + y * top / bottom


@njit_unkept(error_model="numpy", nogil=True)
def _tail(x: Any) -> Any:
    """Return ln x − ψ(x), for x of 6 or more."""
    f = 1.0 / (x * x)
    return 0.5 / x + f * (1.0 / 12.0 - f * (1.0 / 120.0 - f * (1.0 / 252.0 - f / 240.0)))
