"""How a block's network is trained: Adam, a tenth of the cells to validate, an early stop."""

from __future__ import annotations

from collections.abc import Callable
from math import floor

import numpy as np
import torch
from impbench_plugins.shared.keras_training import KerasSchedule, train_by_epochs
from numpy.typing import NDArray
from torch import Tensor

from .network import CnnImputeNetwork, masked_loss

_CELLS_PER_BATCH = 256
VALIDATION_SHARE = 0.1
ADAM_EPSILON = 1e-7
"""Keras's."""


def train(
    network: CnnImputeNetwork,
    inputs: Tensor,
    targets: Tensor,
    schedule: KerasSchedule,
    generator: torch.Generator,
    progress: Callable[[int, int], None],
) -> list[float]:
    """Train in place; return the validation loss after each epoch.

    A tenth of the cells, drawn at random and at least one, validates. For `progress`, see
    `train_by_epochs`.

    Parameters
    ----------
    inputs, targets
        (cells, input length) and (cells, targets), float32; a negative target is masked.
    """
    n_cells = len(inputs)
    order = torch.randperm(n_cells, generator=generator)
    n_training = min(floor(n_cells * (1 - VALIDATION_SHARE)), n_cells - 1)
    training, validation = order[:n_training], order[n_training:]
    adam = torch.optim.Adam(network.parameters(), lr=schedule.learning_rate, eps=ADAM_EPSILON)

    def step(cells: Tensor, rate: float) -> None:
        network.train()
        adam.zero_grad()
        torch.autograd.backward(masked_loss(network(inputs[cells]), targets[cells]))
        adam.step()

    def validation_loss() -> float:
        predicted = torch.from_numpy(predict(network, inputs[validation]))
        return float(masked_loss(predicted, targets[validation]))

    return train_by_epochs(
        schedule,
        lambda: training[torch.randperm(n_training, generator=generator)],
        step,
        validation_loss,
        progress,
    )


def predict(network: CnnImputeNetwork, inputs: Tensor) -> NDArray[np.float32]:
    """Return predictions without dropout, (cells, targets), by the running moments."""
    network.eval()
    with torch.no_grad():
        parts = [network(cells).numpy() for cells in torch.split(inputs, _CELLS_PER_BATCH)]
    return np.concatenate(parts)
