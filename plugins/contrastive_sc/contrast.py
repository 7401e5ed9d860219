"""NT-Xent of two views of a mini-batch, and its derivatives.

With s_ij = z_i·z_j / T over the 2B rows z, the loss is the mean of −s_ij⁺ + ln Σ_{j≠i} e^{s_ij},
j⁺ the other view of the same cell. With t_i that sum, its derivative by z_i is
Σ_j (e^{s_ij} (1/t_i + 1/t_j) − 2 [j = i⁺]) z_j / (2B T).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from impbench_plugins.shared.compiled import njit, njit_unkept
from impbench_plugins.shared.flat_weights import Float32


def contrast(z: Float32, temperature: float) -> tuple[float, Float32]:
    """Compute the loss.

    Parameters
    ----------
    z
        (2B, dimensions), unit rows, the views one below the other.
    temperature
        T, 0.03 or more: below, single precision would lose the other cells.

    Returns
    -------
    Mean over the 2B rows, and its derivatives by `z`.
    """
    pairs = z @ z.T
    loss = _weigh(pairs, np.float32(1 / temperature))
    by: Float32 = pairs @ z
    by *= np.float32(1 / (len(z) * temperature))
    return loss, by


@njit(fastmath=True, error_model="numpy", nogil=True)
def _weigh(pairs: Any, inverse: Any) -> float:
    """Turn cosines, (2B, 2B), into the factors of z_j in the derivative by z_i; return the loss.

    `inverse` is 1/T.
    """
    n = pairs.shape[0]
    by_total = np.empty(n, np.float32)
    loss = 0.0
    for i in range(n):
        row = pairs[i]
        own = row[(i + n // 2) % n]
        # e^{s_ij − 1/T}: no cosine is above 1, so that no row needs a maximum of its own.
        for j in range(n):
            row[j] = _exp((row[j] - np.float32(1)) * inverse)
        row[i] = np.float32(0)
        total = np.float32(1e-37)
        for j in range(n):
            total += row[j]
        by_total[i] = np.float32(1) / total
        loss += np.log(np.float64(total)) + (np.float64(1) - own) * inverse
    for i in range(n):
        row = pairs[i]
        for j in range(n):
            row[j] *= by_total[i] + by_total[j]
        row[(i + n // 2) % n] -= np.float32(2)
    return loss / n


@njit_unkept(fastmath={"contract"}, error_model="numpy", nogil=True)
def _exp(x: Any) -> Any:
    """Return e^x in single precision, of at most 0, in steps that a loop takes side by side.

    e^x = 2ⁿ e^r with |r| ≤ ln 2 / 2; ln 2 is taken away in two parts, and e^r is the polynomial of
    the Cephes library (Moshier 1992).
    """
    x = max(x, np.float32(-87))
    n = np.floor(x * np.float32(1.442695041) + np.float32(0.5))
    r = (x - n * np.float32(0.693359375)) + n * np.float32(2.12194440e-4)
    p = np.float32(1.9875691500e-4)
    p = p * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    p = p * (r * r) + (r + np.float32(1))
    # n in the place of the exponent.
    return p * np.int32((np.int32(n) + 127) << 23).view(np.float32)
