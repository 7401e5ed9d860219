"""AutoClass's network, an autoencoder with a classifier on its bottleneck; gradient by hand.

At 32 cells a step, a framework spends longer on its own bookkeeping than on the arithmetic. Here a
step is five matrix products in NumPy, and all weights lie in one buffer for the optimiser.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

_CELLS_PER_BLOCK = 1024


@dataclass(frozen=True)
class Parameters:
    """Weights, or their gradients; views of one buffer, `flat`.

    Attributes
    ----------
    encoder, encoder_bias
        (genes, bottleneck) and (bottleneck,).
    heads, heads_bias
        Decoder and classifier side by side, (bottleneck, genes + classes) and (genes + classes,).
    """

    flat: Float32
    encoder: Float32
    encoder_bias: Float32
    heads: Float32
    heads_bias: Float32

    @classmethod
    def zeros(cls, n_genes: int, bottleneck: int, n_classes: int) -> Parameters:
        """Allocate."""
        n_outputs = n_genes + n_classes
        shapes = [(n_genes, bottleneck), (bottleneck,), (bottleneck, n_outputs), (n_outputs,)]
        ends = np.cumsum([np.prod(shape) for shape in shapes])
        flat = np.zeros(ends[-1], dtype=np.float32)
        parts = np.split(flat, ends[:-1])
        return cls(flat, *(part.reshape(s) for part, s in zip(parts, shapes, strict=True)))

    @classmethod
    def initial(
        cls, n_genes: int, bottleneck: int, n_classes: int, rng: np.random.Generator
    ) -> Parameters:
        """Draw each layer's weights from Glorot's uniform distribution; biases are 0."""
        parameters = cls.zeros(n_genes, bottleneck, n_classes)
        decoder, classifier = parameters.heads[:, :n_genes], parameters.heads[:, n_genes:]
        for weights in (parameters.encoder, decoder, classifier):
            bound = np.sqrt(6 / sum(weights.shape))
            weights[:] = rng.uniform(-bound, bound, weights.shape)
        return parameters


class Network:
    """Linear, ReLU, dropout; from there to the genes by softplus, to the classes by softmax.

    Parameters
    ----------
    n_genes, bottleneck, n_classes
        Widths.
    dropout_rate
        Share of the bottleneck that is left out in training, drawn anew for each cell and step.
    classifier_weight
        w in the loss, w · cross-entropy + (1 − w) · mean squared error.
    rng
        Draws the weights and the dropout.
    """

    def __init__(
        self,
        n_genes: int,
        bottleneck: int,
        n_classes: int,
        dropout_rate: float,
        classifier_weight: float,
        rng: np.random.Generator,
    ) -> None:
        self.parameters = Parameters.initial(n_genes, bottleneck, n_classes, rng)
        self.gradients = Parameters.zeros(n_genes, bottleneck, n_classes)
        self.dropout_rate = dropout_rate
        self.classifier_weight = classifier_weight
        self._n_genes = n_genes
        self._rng = rng

    def backpropagate(self, lognorm: Float32, labels: NDArray[np.intp]) -> None:
        """Fill `gradients` for one mini-batch.

        Parameters
        ----------
        lognorm
            Both input and target, (cells, genes).
        labels
            (cells,), below `n_classes`.
        """
        p, d = self.parameters, self.gradients
        active = self._encode(lognorm)
        gain = self._dropout(active.shape)
        gain *= active > 0
        hidden = active * gain
        outputs = self._outputs(hidden)
        self._replace_by_gradient(outputs, lognorm, labels)
        np.dot(hidden.T, outputs, out=d.heads)
        np.sum(outputs, axis=0, out=d.heads_bias)
        by_encoder = outputs @ p.heads.T
        by_encoder *= gain
        np.dot(lognorm.T, by_encoder, out=d.encoder)
        np.sum(by_encoder, axis=0, out=d.encoder_bias)

    def loss(self, lognorm: Float32, labels: NDArray[np.intp]) -> float:
        """Return the loss without dropout, a mean over cells."""
        outputs = self._outputs(self._encode(lognorm))
        error = _softplus(outputs[:, : self._n_genes]) - lognorm
        logits = outputs[:, self._n_genes :].astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        chosen = logits[np.arange(len(labels)), labels]
        cross_entropy = np.mean(np.log(np.exp(logits).sum(axis=1)) - chosen)
        w = self.classifier_weight
        return float(w * cross_entropy + (1 - w) * np.mean(np.square(error), dtype=np.float64))

    def reconstruct(self, lognorm: Float32) -> tuple[Float32, Float32]:
        """Return the reconstruction, (cells, genes), positive, and the bottleneck; no dropout."""
        reconstruction = np.empty_like(lognorm)
        bottleneck = np.empty((len(lognorm), self.parameters.encoder.shape[1]), dtype=np.float32)
        for start in range(0, len(lognorm), _CELLS_PER_BLOCK):
            cells = slice(start, start + _CELLS_PER_BLOCK)
            bottleneck[cells] = self._encode(lognorm[cells])
            reconstruction[cells] = _softplus(self._outputs(bottleneck[cells])[:, : self._n_genes])
        return reconstruction, bottleneck

    def _encode(self, lognorm: Float32) -> Float32:
        active = lognorm @ self.parameters.encoder
        active += self.parameters.encoder_bias
        return np.maximum(active, 0, out=active)

    def _outputs(self, hidden: Float32) -> Float32:
        """Return the heads before softplus and softmax, (cells, genes + classes)."""
        outputs = hidden @ self.parameters.heads
        outputs += self.parameters.heads_bias
        return outputs

    def _dropout(self, shape: tuple[int, ...]) -> Float32:
        """Draw 0 where a value is dropped and 1 / (1 − rate) where it is kept."""
        kept = self._rng.random(shape, dtype=np.float32) >= self.dropout_rate
        return kept * np.float32(1 / (1 - self.dropout_rate))

    def _replace_by_gradient(
        self, outputs: Float32, lognorm: Float32, labels: NDArray[np.intp]
    ) -> None:
        """Turn the heads' linear outputs into the loss's derivatives by them."""
        n = len(labels)
        genes, classes = outputs[:, : self._n_genes], outputs[:, self._n_genes :]
        e = np.exp(-np.abs(genes))
        error = np.log(1 + e)
        error += np.maximum(genes, 0)
        error -= lognorm
        error *= np.where(genes > 0, 1, e)
        error /= 1 + e
        error *= np.float32(2 * (1 - self.classifier_weight) / lognorm.size)
        genes[:] = error
        classes -= classes.max(axis=1, keepdims=True)
        np.exp(classes, out=classes)
        classes /= classes.sum(axis=1, keepdims=True)
        classes[np.arange(n), labels] -= 1
        classes *= np.float32(self.classifier_weight / n)


def _softplus(x: Float32) -> Float32:
    return np.maximum(x, 0) + np.log(1 + np.exp(-np.abs(x)))
