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
    watched
        What was watched before each step: the squared error at the non-zeros per cell, or the whole
        penalised loss.
    loss
        The penalised loss of `output`.
    settled
        Whether what was watched settled before the steps ran out.
    """

    output: Float32
    watched: list[float]
    loss: float
    settled: bool


def train(
    x: Float32,
    settings: AutoImputeSettings,
    rng: np.random.Generator,
    threads: int,
    progress: Callable[[int, int], None],
) -> Trained:
    """Minimise ‖M ∘ (x − D σ(E x))‖² + λ/2 (‖E‖² + ‖D‖²), M marking x > 0 (eq. 8).

    Training ends with the step in which what is watched differs from its last value (0 at first)
    by no more than the threshold; that step counts. As in the authors' program, ``per-cell``
    watches the error alone: the penalty goes on falling long after the error has settled.

    `progress` may raise to stop. BLAS is expected to run on one thread; `threads` of ours share the
    hidden units and change no digit of the result.

    Parameters
    ----------
    x
        (cells, genes) log scale.
    """
    rates = Descent(settings.learning_rate, settings.ridge, settings.biases)
    unobserved = x == 0
    watched = [0.0]
    with ThreadPoolExecutor(threads) if threads > 1 else nullcontext() as pool:
        spread = map if pool is None else pool.map
        network = AutoImputeNetwork(x, settings.hidden, settings.initial_sd, rates, rng, spread)

        def error_of(output: Float32) -> tuple[Float32, float]:
            error = output - x
            error[unobserved] = 0
            return error, sum_of_squares(error)

        def penalised(squares: float) -> float:
            return squares + settings.ridge / 2 * network.sum_of_squares()

        output = network.output()
        for step in range(settings.steps):
            error, squares = error_of(output)
            watched.append(squares / len(x) if settings.stop == "per-cell" else penalised(squares))
            error *= 2
            output = network.step(error)
            progress(step + 1, settings.steps)
            settled = abs(watched[-1] - watched[-2]) <= settings.threshold
            if settled:
                break
        loss = penalised(error_of(output)[1])
    return Trained(output, watched[1:], loss, settled)
