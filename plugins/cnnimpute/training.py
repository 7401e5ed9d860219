"""How a block's network is trained: Adam, a tenth of the cells to validate, an early stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import floor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .network import Network, masked_loss

_CELLS_PER_BATCH = 256
VALIDATION_SHARE = 0.1
ADAM_EPSILON = 1e-7
"""Keras's."""


@dataclass(frozen=True)
class Schedule:
    """When and how fast to learn; the defaults are the published ones."""

    epochs: int = 150
    batch_size: int = 32
    learning_rate: float = 1e-4
    early_stop: int = 5


def train(
    network: Network,
    inputs: Tensor,
    targets: Tensor,
    schedule: Schedule,
    generator: torch.Generator,
    progress: Callable[[int], None],
) -> list[float]:
    """Train in place; return the validation loss after each epoch.

    A tenth of the cells, drawn at random and at least one, validates. The last weights stand, not
    the best. `progress` gets the epochs done, and may raise to stop.

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
    losses: list[float] = []
    best, waited = np.inf, 0
    for epoch in range(schedule.epochs):
        network.train()
        shuffled = training[torch.randperm(n_training, generator=generator)]
        for batch in torch.split(shuffled, schedule.batch_size):
            adam.zero_grad()
            torch.autograd.backward(masked_loss(network(inputs[batch]), targets[batch]))
            adam.step()
        predicted = torch.from_numpy(predict(network, inputs[validation]))
        losses.append(float(masked_loss(predicted, targets[validation])))
        progress(epoch + 1)
        best, waited = (losses[-1], 0) if losses[-1] < best else (best, waited + 1)
        if waited == schedule.early_stop:
            break
    return losses


def predict(network: Network, inputs: Tensor) -> NDArray[np.float32]:
    """Return predictions without dropout, (cells, targets), by the running moments."""
    network.eval()
    with torch.no_grad():
        parts = [network(cells).numpy() for cells in torch.split(inputs, _CELLS_PER_BATCH)]
    return np.concatenate(parts)
