"""How AutoImpute is trained: all cells at every step, until the loss settles."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .network import AutoImputeNetwork, Descent, Float32, sum_of_squares

Stop = Literal["per-cell", "total"]


@dataclass(frozen=True)
class AutoImputeSettings:
    """What decides a training; the defaults are those for Blakeley in the paper's Table 2."""

    hidden: int = 2000
    ridge: float = 1.0
    learning_rate: float = 1e-4
    threshold: float = 1e-4
    stop: Stop = "per-cell"
    steps: int = 7000
    biases: bool = True
    initial_sd: float = 1.0


@dataclass(frozen=True)
class Trained:
    """The result of a training.

    Attributes
    ----------
    output
        (cells, genes), the network's output on all entries.
    losses
        The penalised loss before each step and after the last.
    settled
        Whether the loss settled before the steps ran out.
    """

    output: Float32
    losses: list[float]
    settled: bool


def train(
    x: Float32,
    settings: AutoImputeSettings,
    rng: np.random.Generator,
    threads: int,
    progress: Callable[[int, int], None],
) -> Trained:
    """Minimise ‖M ∘ (x − D σ(E x))‖² + λ/2 (‖E‖² + ‖D‖²), M marking x > 0 (eq. 8).

    `progress` may raise to stop. BLAS is expected to run on one thread; `threads` of ours share the
    hidden units and change no digit of the result.

    Parameters
    ----------
    x
        (cells, genes) log scale.
    """
    rates = Descent(settings.learning_rate, settings.ridge, settings.biases)
    smallest_change = settings.threshold * (len(x) if settings.stop == "per-cell" else 1)
    unobserved = x == 0
    losses: list[float] = []
    with ThreadPoolExecutor(threads) if threads > 1 else nullcontext() as pool:
        spread = map if pool is None else pool.map
        network = AutoImputeNetwork(x, settings.hidden, settings.initial_sd, rates, rng, spread)
        output = network.output()
        for step in range(settings.steps + 1):
            error = output - x
            error[unobserved] = 0
            losses.append(sum_of_squares(error) + settings.ridge / 2 * network.sum_of_squares())
            settled = step > 0 and abs(losses[-1] - losses[-2]) < smallest_change
            if settled or step == settings.steps:
                break
            error *= 2
            output = network.step(error)
            progress(step + 1, settings.steps)
    return Trained(output, losses, settled)
