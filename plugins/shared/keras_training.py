"""Training as Keras does it: mini-batches, a falling learning rate, an early stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

PLATEAU_FACTOR = 0.1
PLATEAU_MIN_DELTA = 1e-4
"""Keras's default for `ReduceLROnPlateau`; early stopping counts any improvement."""
CELLS_PER_BLOCK = 1024
"""Cells that a network sees at once outside training."""


@dataclass(frozen=True)
class KerasSchedule:
    """When and how fast to learn.

    Attributes
    ----------
    epochs, batch_size
        Most passes over the training cells, and cells per mini-batch.
    learning_rate
        Rate of the first epoch.
    early_stop, reduce_lr
        Epochs without improvement after which training stops, and after which the rate falls to a
        tenth (None: never).
    """

    epochs: int
    batch_size: int
    learning_rate: float
    early_stop: int
    reduce_lr: int | None = None


class KerasPace:
    """How fast to learn, and for how long, judged by the validation loss after each epoch.

    `rate`, the learning rate, falls to a tenth after `reduce_lr` epochs without an improvement of
    more than 1e-4; training stops after `early_stop` epochs without any.
    """

    def __init__(self, schedule: KerasSchedule) -> None:
        self.rate = schedule.learning_rate
        self._schedule = schedule
        self._best = self._plateau = np.inf
        self._waited = self._waited_on_plateau = 0

    def goes_on_after(self, loss: float) -> bool:
        """Take note of an epoch's validation loss; return whether there should be another."""
        if loss < self._plateau - PLATEAU_MIN_DELTA:
            self._plateau, self._waited_on_plateau = loss, 0
        else:
            self._waited_on_plateau += 1
            if self._waited_on_plateau == self._schedule.reduce_lr:
                self.rate, self._waited_on_plateau = self.rate * PLATEAU_FACTOR, 0
        if loss < self._best:
            self._best, self._waited = loss, 0
        else:
            self._waited += 1
        return self._waited < self._schedule.early_stop


def train_by_epochs(
    schedule: KerasSchedule,
    shuffled: Callable[[], Any],
    step: Callable[[Any, float], None],
    validation_loss: Callable[[], float],
    progress: Callable[[int, int], None],
) -> list[float]:
    """Train; return the validation loss after each epoch. The last weights stand, not the best.

    Parameters
    ----------
    shuffled
        Returns the training cells in the order of the coming epoch: (cells,), array or tensor.
    step
        Learns from the cells of a mini-batch at a learning rate.
    progress
        Gets the epochs done and their largest number, and may raise to stop.
    """
    pace, losses = KerasPace(schedule), list[float]()
    for epoch in range(schedule.epochs):
        order = shuffled()
        for start in range(0, len(order), schedule.batch_size):
            step(order[start : start + schedule.batch_size], pace.rate)
        losses.append(validation_loss())
        progress(epoch + 1, schedule.epochs)
        if not pace.goes_on_after(losses[-1]):
            break
    return losses


def mean_loss(loss: Callable[[slice], float], first: int, last: int) -> float:
    """Return the mean over the cells `first` to `last` − 1 of `loss`, a mean over some cells."""
    total = 0.0
    for start in range(first, last, CELLS_PER_BLOCK):
        cells = slice(start, min(start + CELLS_PER_BLOCK, last))
        total += loss(cells) * (cells.stop - cells.start)
    return total / (last - first)
