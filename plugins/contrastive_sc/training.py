"""How contrastive-sc is trained, and its coordinates of the cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from impbench_plugins.shared.one_thread import one_thread
from impbench_plugins.shared.torch_random import TorchRandom
from numpy.typing import NDArray

from .network import ContrastiveNetwork

_SLOWEST = 1e-3
"""Of the learning rate: what the cosine ends at (the program's 0.1³)."""

_CELLS_PER_BLOCK = 4096


@dataclass(frozen=True)
class ContrastiveSettings:
    """Hyper-parameters; the defaults are the published code's."""

    dropout: float = 0.9
    temperature: float = 0.07
    learning_rate: float = 0.4
    decay_epochs: int = 500
    epochs: int = 30
    batch_size: int = 200


@dataclass(frozen=True)
class ContrastiveFit:
    """What training leaves: (cells, 60) unit rows, and the mean loss of each epoch."""

    embedding: NDArray[np.float32]
    losses: list[float]


def run(
    values: NDArray[np.float32],
    settings: ContrastiveSettings,
    seed: int,
    progress: Callable[[int, int], None],
) -> ContrastiveFit:
    """Train, then encode all cells; on one thread.

    Parameters
    ----------
    values
        (cells, genes), each gene with mean 0 and sd 1.
    progress
        Gets the epochs done and their total, and may raise to stop.
    """
    # The program's generators, so that a seed gives what it gives there.
    random = TorchRandom(seed)
    rng = np.random.RandomState(seed % 2**32)
    network = ContrastiveNetwork(values.shape[1], settings.dropout, settings.temperature, random)
    values = np.ascontiguousarray(values)
    order, losses = np.arange(len(values)), []
    # Several threads add in another order, and training makes much of the last bits.
    with one_thread():
        for epoch in range(settings.epochs):
            cosine = (1 + np.cos(np.pi * epoch / settings.decay_epochs)) / 2
            rate = settings.learning_rate * (_SLOWEST + (1 - _SLOWEST) * cosine)
            # The order of the epoch before is shuffled on.
            rng.shuffle(order)
            steps = range(0, len(order), settings.batch_size)
            found = [
                network.descend(values[order[start : start + settings.batch_size]], rate)
                for start in steps
            ]
            losses.append(float(np.mean(found)))
            progress(epoch + 1, settings.epochs)
        blocks = range(0, len(values), _CELLS_PER_BLOCK)
        parts = [network.encode(values[start : start + _CELLS_PER_BLOCK]) for start in blocks]
    return ContrastiveFit(np.concatenate(parts), losses)
