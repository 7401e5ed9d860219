"""How AutoClass is trained: Adam, a validation set, a falling learning rate, an early stop."""

from __future__ import annotations

from collections.abc import Callable
from math import floor

import numpy as np
from impbench_plugins.shared.flat_weights import Float32
from impbench_plugins.shared.keras_training import KerasSchedule, mean_loss, train_by_epochs
from numpy.typing import NDArray

from .network import AutoClassNetwork

VALIDATION_SHARE = 0.1


def train(
    network: AutoClassNetwork,
    lognorm: Float32,
    labels: NDArray[np.intp],
    schedule: KerasSchedule,
    rng: np.random.Generator,
    progress: Callable[[int, int], None],
) -> list[float]:
    """Train in place; return the validation loss after each epoch.

    The last tenth of the cells, in the order given, validates. For `progress`, see
    `train_by_epochs`.

    Parameters
    ----------
    lognorm, labels
        (cells, genes) and (cells,).
    """
    n_cells = len(lognorm)
    n_training = floor(n_cells * (1 - VALIDATION_SHARE))

    def step(cells: NDArray[np.intp], rate: float) -> None:
        network.backpropagate(lognorm[cells], labels[cells])
        network.descend(rate)

    def loss(cells: slice) -> float:
        return network.loss(lognorm[cells], labels[cells])

    return train_by_epochs(
        schedule,
        lambda: rng.permutation(n_training),
        step,
        lambda: mean_loss(loss, n_training, n_cells),
        progress,
    )
