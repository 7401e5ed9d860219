"""How AutoClass is trained: Adam, a validation set, a falling learning rate, an early stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import floor
from typing import Any

import numpy as np
from impbench_plugins.keras_pace import Pace
from numba import njit
from numpy.typing import NDArray

from .network import Float32, Network

_CELLS_PER_BLOCK = 1024
VALIDATION_SHARE = 0.1
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7


@dataclass(frozen=True)
class Schedule:
    """When and how fast to learn; the defaults are the published ones."""

    epochs: int = 300
    batch_size: int = 32
    learning_rate: float = 1e-3
    reduce_lr: int = 15
    early_stop: int = 30


def train(
    network: Network,
    lognorm: Float32,
    labels: NDArray[np.intp],
    schedule: Schedule,
    rng: np.random.Generator,
    progress: Callable[[int], None],
) -> list[float]:
    """Train in place; return the validation loss after each epoch.

    The last tenth of the cells, in the order given, validates. The last weights stand, not the
    best. `progress` gets the epochs done, and may raise to stop.

    Parameters
    ----------
    lognorm, labels
        (cells, genes) and (cells,).
    """
    n_cells = len(lognorm)
    n_training = floor(n_cells * (1 - VALIDATION_SHARE))
    weights, gradients = network.parameters.flat, network.gradients.flat
    m, v = np.zeros_like(weights), np.zeros_like(weights)
    pace, losses, step = Pace(schedule), [], 0
    for epoch in range(schedule.epochs):
        order = rng.permutation(n_training)
        for start in range(0, n_training, schedule.batch_size):
            cells = order[start : start + schedule.batch_size]
            network.backpropagate(lognorm[cells], labels[cells])
            step += 1
            _adam(weights, gradients, m, v, step, pace.rate)
        losses.append(_loss(network, lognorm[n_training:], labels[n_training:]))
        progress(epoch + 1)
        if not pace.goes_on_after(losses[-1]):
            break
    return losses


def _loss(network: Network, lognorm: Float32, labels: NDArray[np.intp]) -> float:
    total = 0.0
    for start in range(0, len(labels), _CELLS_PER_BLOCK):
        cells = slice(start, start + _CELLS_PER_BLOCK)
        total += network.loss(lognorm[cells], labels[cells]) * len(labels[cells])
    return total / len(labels)


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _adam(weights: Any, gradients: Any, m: Any, v: Any, step: int, learning_rate: float) -> None:
    """Take step number `step`, from 1."""
    rate = np.float32(learning_rate * np.sqrt(1 - BETA_2**step) / (1 - BETA_1**step))
    keep_m, keep_v, epsilon = np.float32(BETA_1), np.float32(BETA_2), np.float32(EPSILON)
    add_m, add_v = np.float32(1 - BETA_1), np.float32(1 - BETA_2)
    tiny = np.float32(1e-30)  # Keeps the averages out of the denormal numbers, which are slow.
    for k in range(weights.size):
        g = gradients[k]
        m[k] = keep_m * m[k] + (add_m * g + tiny)
        v[k] = keep_v * v[k] + (add_v * g * g + tiny)
        weights[k] -= rate * m[k] / (np.sqrt(v[k]) + epsilon)
