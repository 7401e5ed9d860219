"""Adam as PyTorch has it (Kingma and Ba 2015, algorithm 1), in one compiled loop."""

from __future__ import annotations

from typing import Any

import numpy as np
from impbench_plugins.shared.compiled import njit

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


@njit(fastmath=True, error_model="numpy", nogil=True)
def torch_adam(
    weights: Any, gradients: Any, m: Any, v: Any, step: int, learning_rate: float
) -> None:
    """Take step number `step`, from 1; all arrays are float32 of one length, changed in place.

    `m` and `v` are the running averages of the gradients and of their squares, 0 at first. Keras
    adds its epsilon before the averages' bias is corrected, PyTorch after.
    """
    correction = np.sqrt(1 - BETA_2**step)
    rate = np.float32(learning_rate * correction / (1 - BETA_1**step))
    epsilon = np.float32(EPSILON * correction)
    keep_m, keep_v = np.float32(BETA_1), np.float32(BETA_2)
    add_m, add_v = np.float32(1 - BETA_1), np.float32(1 - BETA_2)
    tiny = np.float32(1e-30)  # Keeps the averages out of the denormal numbers, which are slow.
    for k in range(weights.size):
        g = gradients[k]
        m[k] = keep_m * m[k] + (add_m * g + tiny)
        v[k] = keep_v * v[k] + (add_v * g * g + tiny)
        weights[k] -= rate * m[k] / (np.sqrt(v[k]) + epsilon)
