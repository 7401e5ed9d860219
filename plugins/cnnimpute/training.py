"""How a network is trained: Adam, a tenth of the cells to validate, an early stop."""

from __future__ import annotations

from collections.abc import Callable
from math import floor

import numpy as np
import torch
from impbench_plugins.shared.keras_training import KerasSchedule, train_by_epochs
from numpy.typing import NDArray
from torch import Tensor

from .network import CnnImputeNetwork, Shape, masked_loss

_CELLS_PER_BATCH = 256
VALIDATION_SHARE = 0.1
ADAM_EPSILON = 1e-7
"""Keras's."""


class Trainee:
    """A network, its optimiser and the cells that validate it: all that goes on to a next block.

    A tenth of the cells, drawn at random and at least one, validates.
    """

    def __init__(
        self, shape: Shape, schedule: KerasSchedule, n_cells: int, generator: torch.Generator
    ) -> None:
        self.network = CnnImputeNetwork(shape, generator)
        self._schedule, self._generator = schedule, generator
        self._adam = torch.optim.Adam(
            self.network.parameters(), lr=schedule.learning_rate, eps=ADAM_EPSILON, fused=True
        )
        order = torch.randperm(n_cells, generator=generator)
        n_training = min(floor(n_cells * (1 - VALIDATION_SHARE)), n_cells - 1)
        self._training, self._validation = order[:n_training], order[n_training:]

    def train(
        self, inputs: Tensor, targets: Tensor, progress: Callable[[int, int], None]
    ) -> list[float]:
        """Learn a block; return the validation loss after each epoch.

        Parameters
        ----------
        inputs, targets
            (cells, input length) and (cells, targets), float32; a negative target is masked.
        progress
            See `train_by_epochs`.
        """

        def shuffled() -> Tensor:
            return self._training[torch.randperm(len(self._training), generator=self._generator)]

        def step(cells: Tensor, rate: float) -> None:
            self.network.train()
            self._adam.zero_grad()
            torch.autograd.backward(masked_loss(self.network(inputs[cells]), targets[cells]))
            self._adam.step()

        def validation_loss() -> float:
            predicted = torch.from_numpy(predict(self.network, inputs[self._validation]))
            return float(masked_loss(predicted, targets[self._validation]))

        return train_by_epochs(self._schedule, shuffled, step, validation_loss, progress)


def predict(network: CnnImputeNetwork, inputs: Tensor) -> NDArray[np.float32]:
    """Return predictions without dropout, (cells, targets), by the running moments."""
    network.eval()
    with torch.no_grad():
        parts = [network(cells).numpy() for cells in torch.split(inputs, _CELLS_PER_BATCH)]
    return np.concatenate(parts)
