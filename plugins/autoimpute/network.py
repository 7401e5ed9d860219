"""AutoImpute's network, D σ(E x + b) + c, its gradient by hand, and RMSProp as in TensorFlow 1.

The hidden units are split into a fixed number of blocks. A block is visited once per step (gradient
of the last step, new weights, new output) while it lies in the cache, and several threads can each
take a block; the blocks' outputs are added in their order, so threads change no digit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from impbench_plugins.shared.compiled import njit
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Map = Callable[..., Iterable[Any]]

N_BLOCKS = 8
DECAY, EPSILON = 0.9, 1e-10
"""RMSProp's in TensorFlow 1, where ε stands under the root and mean squares begin at 1."""


@dataclass(frozen=True)
class Descent:
    """How to learn.

    Attributes
    ----------
    learning_rate
        RMSProp's step.
    ridge
        λ; both weight matrices get λ/2 times their squares, biases get nothing.
    biases
        Whether there are any.
    """

    learning_rate: float = 1e-4
    ridge: float = 1.0
    biases: bool = True


class RmspropArray:
    """One array of weights with its running mean of squared gradients."""

    def __init__(self, values: Float32) -> None:
        self.values = np.ascontiguousarray(values)
        self._mean_square = np.ones_like(self.values)

    def step(self, gradient: Float32, learning_rate: float, ridge: float = 0.0) -> None:
        """Take one step of RMSProp against `gradient` + `ridge` · weights."""
        _rmsprop(
            self.values.reshape(-1),
            np.ascontiguousarray(gradient).reshape(-1),
            self._mean_square.reshape(-1),
            np.float32(learning_rate),
            np.float32(ridge),
        )


class HiddenUnits:
    """Some of the hidden units: their columns of E, entries of b and rows of D."""

    def __init__(self, encoder: Float32, bias: Float32, decoder: Float32) -> None:
        self.encoder, self.bias, self.decoder = (
            RmspropArray(encoder),
            RmspropArray(bias),
            RmspropArray(decoder),
        )
        self._hidden = np.empty((0, 0), np.float32)

    def forward(self, x: Float32) -> Float32:
        """Return what these units add to the output, (cells, genes); keeps their activations."""
        z = x @ self.encoder.values
        z += self.bias.values
        self._hidden = _sigmoid(z)
        return self._hidden @ self.decoder.values

    def step(self, x: Float32, by_output: Float32, rates: Descent) -> Float32:
        """Descend along the gradient, given the loss's derivatives by the output; `forward`."""
        by_decoder = self._hidden.T @ by_output
        by_z = by_output @ self.decoder.values.T
        by_z *= self._hidden
        by_z *= 1 - self._hidden
        self.decoder.step(by_decoder, rates.learning_rate, rates.ridge)
        self.encoder.step(x.T @ by_z, rates.learning_rate, rates.ridge)
        if rates.biases:
            self.bias.step(by_z.sum(axis=0), rates.learning_rate)
        return self.forward(x)

    def sum_of_squares(self) -> float:
        """Return this block's share of ‖E‖² + ‖D‖²."""
        return sum_of_squares(self.encoder.values) + sum_of_squares(self.decoder.values)


class AutoImputeNetwork:
    """The network and the input it is trained on.

    Parameters
    ----------
    x
        (cells, genes) log scale, 0 where nothing was observed.
    hidden
        Number of hidden units.
    initial_sd
        Standard deviation of the first weights and biases, normal with mean 0.
    rates
        How to learn.
    rng
        Draws the first weights.
    map
        Like the built-in `map`; a thread pool's spreads the blocks over threads.
    """

    def __init__(
        self,
        x: Float32,
        hidden: int,
        initial_sd: float,
        rates: Descent,
        rng: np.random.Generator,
        map: Map = map,
    ) -> None:
        n_genes = x.shape[1]
        shapes = ((n_genes, hidden), (hidden,), (hidden, n_genes), (n_genes,))
        encoder, bias, decoder, output_bias = (
            np.float32(initial_sd) * rng.standard_normal(shape, dtype=np.float32)
            for shape in shapes
        )
        if not rates.biases:
            bias[:], output_bias[:] = 0, 0
        units = np.array_split(np.arange(hidden), min(N_BLOCKS, hidden))
        self.blocks = [HiddenUnits(encoder[:, u], bias[u], decoder[u]) for u in units]
        self.output_bias = RmspropArray(output_bias)
        self._x, self._rates, self._map = x, rates, map

    def output(self) -> Float32:
        """Return D σ(E x + b) + c, (cells, genes), linear and so of any sign."""
        return self._add_up(self._map(lambda block: block.forward(self._x), self.blocks))

    def step(self, by_output: Float32) -> Float32:
        """Descend, given the derivatives of the unpenalised loss by the output; return `output`."""
        if self._rates.biases:
            self.output_bias.step(by_output.sum(axis=0), self._rates.learning_rate)
        return self._add_up(
            self._map(lambda block: block.step(self._x, by_output, self._rates), self.blocks)
        )

    def sum_of_squares(self) -> float:
        """Return ‖E‖² + ‖D‖²."""
        return sum(self._map(HiddenUnits.sum_of_squares, self.blocks))

    def _add_up(self, parts: Iterable[Float32]) -> Float32:
        total = np.empty_like(self._x)
        total[:] = self.output_bias.values
        for part in parts:
            total += part
        return total


def sum_of_squares(values: Float32) -> float:
    """Return ‖values‖²."""
    flat = values.reshape(-1)
    return float(np.dot(flat, flat))


def _sigmoid(z: Float32) -> Float32:
    """Return 1 / (1 + e^−z), in place."""
    np.negative(z, out=z)
    with np.errstate(over="ignore"):  # e^∞ gives 0, as it should.
        np.exp(z, out=z)
    z += 1
    return np.reciprocal(z, out=z)


@njit(fastmath=True, error_model="numpy", nogil=True)
def _rmsprop(weights: Any, gradient: Any, mean_square: Any, rate: Any, ridge: Any) -> None:
    decay, rest, epsilon = np.float32(DECAY), np.float32(1 - DECAY), np.float32(EPSILON)
    tiny = np.float32(1e-30)  # Keeps the average out of the denormal numbers, which are slow.
    for k in range(weights.size):
        g = gradient[k] + ridge * weights[k]
        mean_square[k] = decay * mean_square[k] + (rest * g * g + tiny)
        weights[k] -= rate * g / np.sqrt(mean_square[k] + epsilon)
