"""How CLEAR is trained, and its coordinates of the cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from impbench_plugins.shared.one_thread import one_thread
from numpy.typing import NDArray

from .autograd import AutogradSteps
from .by_hand import HandSteps
from .start import Start
from .views import ViewCorruption, draw_views

_CELLS_PER_BLOCK = 4096


@dataclass(frozen=True)
class ClearSettings:
    """Hyper-parameters; the defaults are the published code's."""

    hidden: int = 1024
    embedding: int = 128
    temperature: float = 0.2
    momentum: float = 0.999
    learning_rate: float = 0.005
    schedule: str = "constant"
    epochs: int = 100
    batch_size: int = 512
    queue: int = 1024
    whole_below: int = 512
    chance: float = 0.5
    masked: float = 0.2
    noisy: float = 0.8
    noise_sd: float = 0.5
    swapped: float = 0.1
    crossed: float = 0.25
    mutated: float = 0.25

    def corruption(self, n_genes: int) -> ViewCorruption:
        """Turn shares of the genes into numbers, rounded down."""
        return ViewCorruption(
            chance=float(self.chance),
            masked=int(self.masked * n_genes),
            noisy=int(self.noisy * n_genes),
            noise_sd=float(self.noise_sd),
            pairs=int(self.swapped * n_genes / 2),
            crossed=int(self.crossed * n_genes),
            mutated=int(self.mutated * n_genes),
        )

    def sizes(self, n_cells: int) -> tuple[int, int]:
        """Return cells per mini-batch and keys in the queue; few cells are one mini-batch."""
        if n_cells < self.whole_below:
            return n_cells, n_cells
        return self.batch_size, self.queue

    def rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch, from 0."""
        if self.schedule == "constant":
            return self.learning_rate
        return float(self.learning_rate * (1 + np.cos(np.pi * epoch / self.epochs)) / 2)


@dataclass(frozen=True)
class ClearFit:
    """What training leaves: (cells, embedding) unit rows, and the mean loss of each epoch."""

    embedding: NDArray[np.float32]
    losses: list[float]


def run(
    values: NDArray[np.float32],
    settings: ClearSettings,
    seed: int,
    device: str,
    progress: Callable[[int, int], None],
) -> ClearFit:
    """Train, then encode the cells as they are with the key's weights; on one thread, or a GPU.

    Every random number is drawn on the CPU. First weights and the queue come from the program's
    generator in its order, so that a seed starts where it starts there.

    Parameters
    ----------
    values
        (cells, genes), what `prepare_input` makes.
    device
        ``"cpu"`` or one of CUDA.
    progress
        Gets the epochs done and their total, and may raise to stop.
    """
    n_cells, n_genes = values.shape
    batch_size, queue_length = settings.sizes(n_cells)
    corruption = settings.corruption(n_genes)
    widths = (n_genes, settings.hidden, settings.embedding)
    generator = torch.Generator().manual_seed(seed)
    state = np.random.default_rng(seed).integers(2**64, size=1, dtype=np.uint64)
    start = Start.draw(widths, queue_length, generator)
    steps: HandSteps | AutogradSteps
    if device == "cpu":
        steps = HandSteps(start, settings.temperature, settings.momentum)
    else:
        steps = AutogradSteps(start, settings.temperature, settings.momentum, device)
    losses = []
    with one_thread():
        for epoch in range(settings.epochs):
            found, pool = [], values.copy()
            order = torch.randperm(n_cells, generator=generator).numpy()
            for first in range(0, n_cells - batch_size + 1, batch_size):
                cells = order[first : first + batch_size]
                views = draw_views(values, cells, pool, corruption, state)
                found.append(steps.descend(views, settings.rate(epoch)))
            losses.append(float(np.mean(found)))
            progress(epoch + 1, settings.epochs)
        blocks = range(0, n_cells, _CELLS_PER_BLOCK)
        parts = [steps.encode(values[first : first + _CELLS_PER_BLOCK]) for first in blocks]
    return ClearFit(np.concatenate(parts), losses)
