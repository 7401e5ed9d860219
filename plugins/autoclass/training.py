"""How AutoClass is trained: Adam, a validation set, a falling learning rate, an early stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import floor

import numpy as np
from impbench_plugins.keras_adam import adam
from impbench_plugins.keras_pace import Pace
from numpy.typing import NDArray

from .network import Float32, Network

_CELLS_PER_BLOCK = 1024
VALIDATION_SHARE = 0.1


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
            adam(weights, gradients, m, v, step, pace.rate)
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
