"""One of DeepImpute's networks: dense, ReLU, dropout, dense, softplus; gradient by hand.

At 64 cells a step, a framework spends longer on its own bookkeeping than on the arithmetic. Here a
step is four matrix products in NumPy, and all weights lie in one buffer for the optimiser.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .blocks import Block

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Parameters:
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
    def zeros(cls, n_inputs: int, hidden: int, n_outputs: int) -> Parameters:
        """Allocate."""
        shapes = [(n_inputs, hidden), (hidden,), (hidden, n_outputs), (n_outputs,)]
        ends = np.cumsum([np.prod(shape) for shape in shapes])
        flat = np.zeros(ends[-1], dtype=np.float32)
        parts = np.split(flat, ends[:-1])
        return cls(flat, *(part.reshape(s) for part, s in zip(parts, shapes, strict=True)))

    @classmethod
    def initial(
        cls, n_inputs: int, hidden: int, n_outputs: int, rng: np.random.Generator
    ) -> Parameters:
        """Draw each layer's weights from Glorot's uniform distribution; biases are 0."""
        parameters = cls.zeros(n_inputs, hidden, n_outputs)
        for weights in (parameters.encoder, parameters.decoder):
            bound = np.sqrt(6 / sum(weights.shape))
            weights[:] = rng.uniform(-bound, bound, weights.shape)
        return parameters


class Network:
    """Predicts the targets of a block from its predictors, all as ln(1 + count).

    Parameters
    ----------
    block
        Genes in and out.
    hidden
        Width of the hidden layer.
    dropout
        Share of it that is left out in training, drawn anew for each cell and step.
    rng
        Draws the weights and the dropout.
    """

    def __init__(self, block: Block, hidden: int, dropout: float, rng: np.random.Generator) -> None:
        shape = len(block.predictors), hidden, len(block.targets)
        self.block = block
        self.parameters = Parameters.initial(*shape, rng)
        self.gradients = Parameters.zeros(*shape)
        self._dropout = dropout
        self._rng = rng

    def backpropagate(self, log_counts: Float32) -> None:
        """Fill `gradients` for one mini-batch, (cells, all genes).

        The loss is the mean over cells and targets of y · (y − ŷ)²: zeros do not count.
        """
        p, d = self.parameters, self.gradients
        inputs = log_counts[:, self.block.predictors]
        active = self._encode(inputs)
        kept = self._rng.random(active.shape, dtype=np.float32) >= self._dropout
        gain = (kept & (active > 0)) * np.float32(1 / (1 - self._dropout))
        hidden = active * gain
        outputs = self._decode(hidden)
        self._replace_by_gradient(outputs, log_counts[:, self.block.targets])
        np.dot(hidden.T, outputs, out=d.decoder)
        np.sum(outputs, axis=0, out=d.decoder_bias)
        by_encoder = outputs @ p.decoder.T
        by_encoder *= gain
        np.dot(inputs.T, by_encoder, out=d.encoder)
        np.sum(by_encoder, axis=0, out=d.encoder_bias)

    def loss(self, log_counts: Float32) -> float:
        """Return the loss on some cells, (cells, all genes), without dropout."""
        wanted = log_counts[:, self.block.targets]
        error = self.predict(log_counts) - wanted
        return float(np.mean(wanted * error * error, dtype=np.float64))

    def predict(self, log_counts: Float32) -> Float32:
        """Return the prediction of ln(1 + count), (cells, targets), positive, without dropout."""
        return _softplus(self._decode(self._encode(log_counts[:, self.block.predictors])))

    def _encode(self, inputs: Float32) -> Float32:
        active: Float32 = inputs @ self.parameters.encoder
        active += self.parameters.encoder_bias
        np.maximum(active, 0, out=active)
        return active

    def _decode(self, hidden: Float32) -> Float32:
        """Return the outputs before softplus, (cells, targets)."""
        outputs: Float32 = hidden @ self.parameters.decoder
        outputs += self.parameters.decoder_bias
        return outputs

    @staticmethod
    def _replace_by_gradient(outputs: Float32, wanted: Float32) -> None:
        """Turn linear outputs into the loss's derivatives by them."""
        e = np.exp(-np.abs(outputs))
        slope = np.where(outputs > 0, 1, e) / (1 + e)
        error = np.maximum(outputs, 0) + np.log(1 + e) - wanted
        np.multiply(error, slope, out=outputs)
        outputs *= wanted
        outputs *= np.float32(2 / wanted.size)


def _softplus(x: Float32) -> Float32:
    return np.asarray(np.maximum(x, 0) + np.log(1 + np.exp(-np.abs(x))))
