"""MaskClass's engine for a CPU: the same training as `reference`, compiled, on one thread."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from impbench_plugins.shared import compiled

from . import fast_corruption, fast_network, rows
from .biozero import DropoutCurve
from .fast_corruption import Batch, Rates, Scaled, corrupt, hashed, shuffle
from .fast_network import Activations, adam, backward, forward, full_output, masked_output
from .fast_reconstruction import TrainedNetwork
from .fast_weights import Float32, Weights
from .rows import aligned_zeros
from .scaler import GeneScaler
from .training import MaskClassData, MaskClassSettings


def train(
    data: MaskClassData,
    settings: MaskClassSettings,
    seed: int,
    progress: Callable[[int, int], None],
) -> tuple[TrainedNetwork, list[float]]:
    """Train on every cell of `data`; every engine does the same in distribution.

    Returns the trained network and the mean loss of each epoch. `progress` gets the epochs done and
    their total, and may raise to stop.
    """
    training = Training.start(data, settings, seed)
    losses = []
    for epoch in range(settings.epochs):
        losses.append(training.run(epoch))
        progress(epoch + 1, settings.epochs)
    return TrainedNetwork(training.weights, settings.hidden, settings.bottleneck), losses


@dataclass(frozen=True)
class Training:
    """Everything one training run holds; the arrays change in place.

    Attributes
    ----------
    weights, gradient, m, v
        The network, the last mini-batch's gradient, and Adam's two moments.
    batch, activations
        The last mini-batch.
    """

    scaled: Scaled
    settings: MaskClassSettings
    seed: int
    weights: Weights
    gradient: Weights
    m: Float32
    v: Float32
    batch: Batch
    activations: Activations

    @classmethod
    def start(cls, data: MaskClassData, settings: MaskClassSettings, seed: int) -> Training:
        """Start from weights drawn by `seed`."""
        hidden, bottleneck = settings.hidden, settings.bottleneck
        weights = Weights.initial(data.n_genes, hidden, bottleneck, seed)
        m, v = (aligned_zeros(weights.flat.size) for _ in range(2))
        batch_size = min(settings.batch_size, data.n_cells)
        return cls(
            scaled=Scaled.of(data),
            settings=settings,
            seed=seed,
            weights=weights,
            gradient=Weights.zeros(data.n_genes, hidden, bottleneck),
            m=m,
            v=v,
            batch=Batch.empty(batch_size, data.n_genes),
            activations=Activations.zeros(weights, hidden, bottleneck, batch_size),
        )

    def run(self, epoch: int) -> float:
        """Pass over all cells once, in an order of this epoch's own; return the mean loss."""
        p = self.settings
        rates = Rates(p.p_zero, p.p_nonzero, p.nu, p.w_bio, p.w_nz)
        return float(
            _epoch_kernel()(
                self.scaled, np.uint64(self.seed % 2**64), epoch, rates, p.gamma, p.learning_rate,
                self.weights, self.gradient, self.m, self.v, self.batch, self.activations,
            )
        )  # fmt: skip


def compile_kernels() -> None:
    """Compile the engine, or load it from numba's cache, by training on next to nothing."""
    lognorm = np.eye(3, dtype=np.float32)
    data = MaskClassData(
        lognorm, 1 - lognorm, np.ones(3, np.float32), GeneScaler.fit(lognorm), DropoutCurve(-1, 0)
    )
    train(data, MaskClassSettings(epochs=1), 0, lambda done, total: None)


@cache
def _epoch_kernel() -> Any:
    """Compile `run_epoch`, keeping the result on disk where there is a place to write to.

    numba's cache notices a change in the file of the function it holds, not in those it calls; the
    digest, which the function closes over, makes it notice them all.
    """
    digest = hashlib.sha256()
    for module in (rows, fast_corruption, fast_network, compiled):
        digest.update(Path(str(module.__file__)).read_bytes())
    sources = digest.hexdigest()

    def run_epoch(
        scaled, seed, epoch, rates, gamma, learning_rate, weights, grads, m, v, batch, act
    ):  # type: ignore[no-untyped-def]
        sources  # noqa: B018
        key = hashed(hashed(seed, 0), epoch)
        order = np.arange(scaled.p_bio.shape[0])
        shuffle(order, hashed(key, -1))
        batch_size, total, step = batch.n.size, 0.0, epoch * -(-order.size // batch.n.size)
        for start in range(0, order.size, batch_size):
            cells = order[start : start + batch_size]
            total_weight = corrupt(scaled, cells, key, rates, batch)
            forward(weights, batch, act, cells.size)
            if gamma > 0:
                loss = full_output(weights, grads, scaled, cells, batch, act, total_weight, gamma)
            else:
                loss = masked_output(weights, grads, batch, act, cells.size, total_weight)
            backward(weights, grads, batch, act, cells.size)
            step += 1
            adam(weights, grads, m, v, step, learning_rate)
            total += loss * cells.size
        return total / order.size

    return compiled.njit(nogil=True)(run_epoch)
