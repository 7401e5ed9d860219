"""A network with one hidden layer: dense, ReLU, dropout, dense; gradient by hand, Adam.

At some tens of cells a step, a framework spends longer on its own bookkeeping than on the
arithmetic. Here a step is four matrix products in NumPy and one compiled loop over all weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from impbench_plugins.shared.flat_weights import Float32, draw_glorot, flat_zeros
from impbench_plugins.shared.keras_adam import adam


@dataclass(frozen=True)
class HiddenLayerWeights:
    """Weights, or their gradients; views of one buffer, `flat`.

    Attributes
    ----------
    encoder, encoder_bias
        (inputs, hidden) and (hidden,).
    decoder, decoder_bias
        (hidden, outputs) and (outputs,).
    """

    flat: Float32
    encoder: Float32
    encoder_bias: Float32
    decoder: Float32
    decoder_bias: Float32

    @classmethod
    def zeros(cls, n_inputs: int, hidden: int, n_outputs: int) -> HiddenLayerWeights:
        """Allocate."""
        shapes = [(n_inputs, hidden), (hidden,), (hidden, n_outputs), (n_outputs,)]
        flat, parts = flat_zeros(shapes)
        return cls(flat, *parts)


class HiddenLayerNetwork:
    """What a method completes by a loss: the layers, their gradients, and a step of Adam.

    Parameters
    ----------
    n_inputs, hidden
        Widths.
    heads
        Widths of the output layers, which stand side by side in the decoder.
    dropout
        Share of the hidden layer that is left out in training, drawn anew for each cell and step.
    rng
        Draws the weights, layer by layer (biases start at 0), and the dropout.
    """

    def __init__(
        self,
        n_inputs: int,
        hidden: int,
        heads: Sequence[int],
        dropout: float,
        rng: np.random.Generator,
    ) -> None:
        shape = n_inputs, hidden, sum(heads)
        self.parameters = HiddenLayerWeights.zeros(*shape)
        self.gradients = HiddenLayerWeights.zeros(*shape)
        p = self.parameters
        draw_glorot((p.encoder, *np.split(p.decoder, np.cumsum(heads)[:-1], axis=1)), rng)
        self._moments = np.zeros((2, p.flat.size), np.float32)
        self._steps = 0
        self._dropout = dropout
        self._rng = rng

    def encode(self, inputs: Float32) -> Float32:
        """Return the hidden layer, (cells, hidden), without dropout."""
        active: Float32 = inputs @ self.parameters.encoder
        active += self.parameters.encoder_bias
        np.maximum(active, 0, out=active)
        return active

    def decode(self, hidden: Float32) -> Float32:
        """Return the linear outputs, (cells, outputs)."""
        outputs: Float32 = hidden @ self.parameters.decoder
        outputs += self.parameters.decoder_bias
        return outputs

    def descend(self, rate: float) -> None:
        """Take one step of Adam along `gradients`."""
        self._steps += 1
        adam(self.parameters.flat, self.gradients.flat, *self._moments, self._steps, rate)

    def _backpropagate(self, inputs: Float32, to_gradient: Callable[[Float32], None]) -> None:
        """Fill `gradients` for one mini-batch, (cells, inputs).

        `to_gradient` turns the linear outputs into the loss's derivatives by them, in place.
        """
        p, d = self.parameters, self.gradients
        active = self.encode(inputs)
        gain = self._draw_dropout(active.shape)
        gain *= active > 0
        hidden = active * gain
        outputs = self.decode(hidden)
        to_gradient(outputs)
        np.dot(hidden.T, outputs, out=d.decoder)
        np.sum(outputs, axis=0, out=d.decoder_bias)
        by_encoder = outputs @ p.decoder.T
        by_encoder *= gain
        np.dot(inputs.T, by_encoder, out=d.encoder)
        np.sum(by_encoder, axis=0, out=d.encoder_bias)

    def _draw_dropout(self, shape: tuple[int, ...]) -> Float32:
        """Draw 0 where a value is dropped and 1 / (1 − share) where it is kept."""
        kept = self._rng.random(shape, dtype=np.float32) >= self._dropout
        return np.asarray(kept * np.float32(1 / (1 - self._dropout)))


def softplus(x: Float32) -> Float32:
    """Return ln(1 + e^x), finite for any x."""
    return np.asarray(np.maximum(x, 0) + np.log(1 + np.exp(-np.abs(x))))
