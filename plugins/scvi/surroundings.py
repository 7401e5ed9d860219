"""Keep what scvi-tools draws, logs and reports to ourselves while it works."""

from __future__ import annotations

import logging
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning
import numpy as np
import scvi
import torch

from impbench import Context


class Progress(lightning.pytorch.callbacks.Callback):  # type: ignore[misc]
    """Passes on the epochs done; what `Context.progress` raises ends the training."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Report one more epoch."""
        self._context.progress(trainer.current_epoch + 1, trainer.max_epochs)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the generators that scvi-tools draws from, all of them global; restore them afterwards.

    Its public switch, `scvi.settings.seed`, would also leave CUDA options and environment variables
    behind; the private attribute decides which cells validate.
    """
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    setting = scvi.settings._seed
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    torch.manual_seed(seed)
    scvi.settings._seed = seed % 2**32
    try:
        yield
    finally:
        scvi.settings._seed = setting
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.set_rng_state(states[2])


@contextmanager
def quiet() -> Iterator[None]:
    """Silence advice about devices and data loaders, which names nothing a user can change here."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "scvi")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
