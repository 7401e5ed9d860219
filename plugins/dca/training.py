"""How DCA is trained: RMSprop, a validation set, a falling learning rate, an early stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import floor
from typing import Any

import numpy as np
from impbench_plugins.shared.compiled import njit
from impbench_plugins.shared.flat_weights import Float32
from impbench_plugins.shared.keras_training import (
    CELLS_PER_BLOCK,
    KerasSchedule,
    mean_loss,
    train_by_epochs,
)
from numpy.typing import NDArray

from .network import DcaNetwork

VALIDATION_SHARE = 0.1
DECAY, EPSILON = 0.9, 1e-7


@dataclass(frozen=True)
class DcaTrainingSet:
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
    def prepare(cls, counts: NDArray[Any]) -> DcaTrainingSet:
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


def train(
    network: DcaNetwork,
    data: DcaTrainingSet,
    schedule: KerasSchedule,
    clip_grad: float,
    rng: np.random.Generator,
    progress: Callable[[int, int], None],
) -> list[float]:
    """Train in place; return the validation loss after each epoch.

    The last tenth of the cells, in the order given, validates. `clip_grad` bounds each element of
    the gradient. For `progress`, see `train_by_epochs`.
    """
    n_training = floor(len(data) * (1 - VALIDATION_SHARE))
    weights, gradients = network.parameters.flat, network.gradients.flat
    mean_square = np.zeros_like(weights)

    def step(cells: NDArray[np.intp], rate: float) -> None:
        network.backpropagate(*data.cells(cells))
        _rmsprop(weights, gradients, mean_square, rate, clip_grad)

    return train_by_epochs(
        schedule,
        lambda: rng.permutation(n_training),
        step,
        lambda: mean_loss(lambda cells: network.loss(*data.cells(cells)), n_training, len(data)),
        progress,
    )


def denoise(network: DcaNetwork, data: DcaTrainingSet) -> tuple[Float32, Float32]:
    """Return every cell's mean × size factor, (cells, genes), and bottleneck, (cells, width)."""
    parts = []
    for start in range(0, len(data), CELLS_PER_BLOCK):
        inputs, _, factors = data.cells(slice(start, start + CELLS_PER_BLOCK))
        parts.append(network.denoise(inputs, factors))
    means, bottlenecks = zip(*parts, strict=True)
    return np.concatenate(means), np.concatenate(bottlenecks)


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
