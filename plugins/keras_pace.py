"""The learning-rate schedule and early stopping of Keras, with which several methods train."""

from __future__ import annotations

from typing import Protocol

import numpy as np

PLATEAU_FACTOR = 0.1
PLATEAU_MIN_DELTA = 1e-4
"""Keras's default for `ReduceLROnPlateau`; early stopping counts any improvement."""


class Schedule(Protocol):
    """What of a method's settings decides its pace."""

    @property
    def learning_rate(self) -> float:
        """Rate of the first epoch."""

    @property
    def reduce_lr(self) -> int:
        """Epochs without improvement after which the rate falls."""

    @property
    def early_stop(self) -> int:
        """Epochs without improvement after which training stops."""


class Pace:
    """How fast to learn, and for how long, judged by the validation loss after each epoch.

    `rate`, the learning rate, falls to a tenth after `reduce_lr` epochs without an improvement of
    more than 1e-4; training stops after `early_stop` epochs without any.
    """

    def __init__(self, schedule: Schedule) -> None:
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
