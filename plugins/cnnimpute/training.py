"""How a network is trained: Adam, a tenth of the cells to validate, an early stop."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import numpy as np
import torch
from impbench_plugins.shared.keras_training import KerasSchedule, train_by_epochs
from numpy.typing import NDArray
from torch import Tensor

from .network import CnnImputeNetwork, Shape, masked_loss

_CELLS_PER_BATCH = 256
VALIDATION_SHARE = 0.1
VALIDATION_SEED = 1111
"""The program's, set anew before each block, whatever seed it is given."""
ADAM_EPSILON = 1e-7
"""Keras's."""


class Trainee:
    """A network, its optimiser and the cells that validate it: all that goes on to a next block.

    Which cells validate depends on their number alone, as in the program: see `split`.
    """

    def __init__(
        self, shape: Shape, schedule: KerasSchedule, n_cells: int, generator: torch.Generator
    ) -> None:
        self.network = CnnImputeNetwork(shape, generator)
        self._schedule, self._generator = schedule, generator
        self._adam = torch.optim.Adam(
            self.network.parameters(), lr=schedule.learning_rate, eps=ADAM_EPSILON, fused=True
        )
        self._training, self._validation = split(n_cells)

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


def split(n_cells: int) -> tuple[Tensor, Tensor]:
    """Return which cells train and which validate, a tenth of them, rounded up.

    The program shuffles the cells and has scikit-learn shuffle and split them once more, both by
    NumPy's legacy generator at the same seed for every block, so all its runs validate on the same.
    """
    random = np.random.RandomState(VALIDATION_SEED)
    order = np.arange(n_cells)
    random.shuffle(order)
    order = order[random.permutation(n_cells)]
    n_validating = ceil(VALIDATION_SHARE * n_cells)
    return torch.from_numpy(order[n_validating:]), torch.from_numpy(order[:n_validating])


def predict(network: CnnImputeNetwork, inputs: Tensor) -> NDArray[np.float32]:
    """Return predictions without dropout, (cells, targets), by the running moments."""
    network.eval()
    with torch.no_grad():
        parts = [network(cells).numpy() for cells in torch.split(inputs, _CELLS_PER_BATCH)]
    return np.concatenate(parts)
