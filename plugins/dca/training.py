"""How DCA is trained: RMSprop, a validation set, a falling learning rate, an early stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import floor
from typing import Any

import numpy as np
from impbench_plugins.compiled import njit
from impbench_plugins.keras_pace import Pace
from numpy.typing import NDArray

from .likelihood import Float32
from .network import Network

_CELLS_PER_BLOCK = 1024
VALIDATION_SHARE = 0.1
DECAY, EPSILON = 0.9, 1e-7


@dataclass(frozen=True)
class TrainingSet:
    """Counts and what is made of them once.

    Attributes
    ----------
    counts
        Raw counts, (cells, genes) float32; no cell and no gene is empty.
    factors
        Library size / median library size, (cells,).
    inputs
        ln(1 + counts / factor), each gene to mean 0 and sample sd 1 (a constant gene only to mean
        0), (cells, genes).
    """

    counts: Float32
    factors: Float32
    inputs: Float32

    @classmethod
    def prepare(cls, counts: NDArray[Any]) -> TrainingSet:
        """Compute size factors and inputs from the counts of non-empty cells and genes."""
        sizes = counts.sum(axis=1, dtype=np.float64)
        factors = (sizes / np.median(sizes)).astype(np.float32)
        counts = np.ascontiguousarray(counts, dtype=np.float32)
        inputs = counts / factors[:, None]
        np.log1p(inputs, out=inputs)
        sd = inputs.std(axis=0, ddof=1, dtype=np.float64)
        inputs -= inputs.mean(axis=0, dtype=np.float64).astype(np.float32)
        inputs /= np.where(sd == 0, 1, sd).astype(np.float32)
        return cls(counts, factors, inputs)

    def __len__(self) -> int:
        return len(self.counts)

    def cells(self, chosen: slice | NDArray[np.intp]) -> tuple[Float32, Float32, Float32]:
        """Return inputs, counts and size factors of some cells."""
        return self.inputs[chosen], self.counts[chosen], self.factors[chosen]


@dataclass(frozen=True)
class Schedule:
    """When and how fast to learn; the defaults are the published ones."""

    epochs: int = 300
    batch_size: int = 32
    learning_rate: float = 1e-3
    reduce_lr: int = 10
    early_stop: int = 15
    clip_grad: float = 5.0


def train(
    network: Network,
    data: TrainingSet,
    schedule: Schedule,
    rng: np.random.Generator,
    progress: Callable[[int, int], None],
) -> list[float]:
    """Train in place; return the validation loss after each epoch.

    The last tenth of the cells, in the order given, validates. The last weights stand, not the
    best. `progress` may raise to stop.
    """
    n_training = floor(len(data) * (1 - VALIDATION_SHARE))
    weights, gradients = network.parameters.flat, network.gradients.flat
    mean_square = np.zeros_like(weights)
    pace, losses = Pace(schedule), []
    for epoch in range(schedule.epochs):
        order = rng.permutation(n_training)
        for start in range(0, n_training, schedule.batch_size):
            network.backpropagate(*data.cells(order[start : start + schedule.batch_size]))
            _rmsprop(weights, gradients, mean_square, pace.rate, schedule.clip_grad)
        losses.append(_loss(network, data, n_training))
        progress(epoch + 1, schedule.epochs)
        if not pace.goes_on_after(losses[-1]):
            break
    return losses


def denoise(network: Network, data: TrainingSet) -> tuple[Float32, Float32]:
    """Return every cell's mean × size factor, (cells, genes), and bottleneck, (cells, width)."""
    parts = []
    for block in range(0, len(data), _CELLS_PER_BLOCK):
        inputs, _, factors = data.cells(slice(block, block + _CELLS_PER_BLOCK))
        parts.append(network.denoise(inputs, factors))
    means, bottlenecks = zip(*parts, strict=True)
    return np.concatenate(means), np.concatenate(bottlenecks)


def _loss(network: Network, data: TrainingSet, start: int) -> float:
    """Return the mean loss of the cells from `start` on."""
    total = 0.0
    for block in range(start, len(data), _CELLS_PER_BLOCK):
        inputs, counts, factors = data.cells(slice(block, block + _CELLS_PER_BLOCK))
        total += network.loss(inputs, counts, factors) * len(counts)
    return total / (len(data) - start)


@njit(fastmath=True, error_model="numpy", nogil=True)
def _rmsprop(weights: Any, gradients: Any, mean_square: Any, rate: float, clip: float) -> None:
    """Take one step, each gradient clipped to ±`clip`.

    Dividing by √v + ε, not by √(v + ε), matters: most gradients here are below √ε.
    """
    step, limit = np.float32(rate), np.float32(clip)
    decay, rest, epsilon = np.float32(DECAY), np.float32(1 - DECAY), np.float32(EPSILON)
    tiny = np.float32(1e-30)  # Keeps the average out of the denormal numbers, which are slow.
    for k in range(weights.size):
        g = min(max(gradients[k], -limit), limit)
        mean_square[k] = decay * mean_square[k] + (rest * g * g + tiny)
        weights[k] -= step * g / (np.sqrt(mean_square[k]) + epsilon)
