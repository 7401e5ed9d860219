"""How CLEAR is trained, and its coordinates of the cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from impbench_plugins.shared.torch_networks import single_thread
from numpy.typing import NDArray
from torch.nn import functional

from .network import EncoderWeights, contrast, encode
from .views import ViewCorruption, draw_views

WEIGHT_DECAY, SGD_MOMENTUM = 1e-6, 0.9

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
    drawn = EncoderWeights.draw(widths, generator)
    # The program draws the key's weights as well, and then copies the query's into them.
    EncoderWeights.draw(widths, generator)
    query, key = drawn.to(device), drawn.to(device)
    queue = torch.randn(settings.embedding, queue_length, generator=generator)
    queue = functional.normalize(queue, dim=0).to(device)
    oldest, losses = 0, []
    trained = [weights.requires_grad_() for weights in query.all()]
    optimizer = torch.optim.SGD(
        trained, lr=settings.learning_rate, momentum=SGD_MOMENTUM, weight_decay=WEIGHT_DECAY
    )
    with single_thread():
        for epoch in range(settings.epochs):
            optimizer.param_groups[0]["lr"] = settings.rate(epoch)
            found, pool = [], values.copy()
            order = torch.randperm(n_cells, generator=generator).numpy()
            for start in range(0, n_cells - batch_size + 1, batch_size):
                cells = order[start : start + batch_size]
                views = torch.from_numpy(draw_views(values, cells, pool, corruption, state))
                seen, other = views.to(device)
                with torch.no_grad():
                    key.follow(query, settings.momentum)
                    keys = encode(other, key)
                loss = contrast(encode(seen, query), keys, queue, settings.temperature)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                queue[:, oldest : oldest + batch_size] = keys.T
                oldest = (oldest + batch_size) % queue_length
                found.append(float(loss.detach()))
            losses.append(float(np.mean(found)))
            progress(epoch + 1, settings.epochs)
        with torch.no_grad():
            blocks = range(0, n_cells, _CELLS_PER_BLOCK)
            parts = [
                encode(torch.from_numpy(values[start : start + _CELLS_PER_BLOCK]).to(device), key)
                for start in blocks
            ]
    return ClearFit(torch.cat(parts).cpu().numpy(), losses)
