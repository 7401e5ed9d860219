"""AutoClass's network: an autoencoder with a classifier on its bottleneck."""

from __future__ import annotations

import numpy as np
from impbench_plugins.shared.flat_weights import Float32
from impbench_plugins.shared.hidden_layer import HiddenLayerNetwork, softplus
from impbench_plugins.shared.keras_training import CELLS_PER_BLOCK
from numpy.typing import NDArray


class AutoClassNetwork(HiddenLayerNetwork):
    """The bottleneck is the hidden layer; softplus leads to the genes, softmax to the classes.

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
        super().__init__(n_genes, bottleneck, (n_genes, n_classes), dropout_rate, rng)
        self.classifier_weight = classifier_weight
        self._n_genes = n_genes

    def backpropagate(self, lognorm: Float32, labels: NDArray[np.intp]) -> None:
        """Fill `gradients` for one mini-batch.

        Parameters
        ----------
        lognorm
            Both input and target, (cells, genes).
        labels
            (cells,), below `n_classes`.
        """
        self._backpropagate(
            lognorm, lambda outputs: self._replace_by_gradient(outputs, lognorm, labels)
        )

    def loss(self, lognorm: Float32, labels: NDArray[np.intp]) -> float:
        """Return the loss without dropout, a mean over cells."""
        outputs = self.decode(self.encode(lognorm))
        error = softplus(outputs[:, : self._n_genes]) - lognorm
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
        for start in range(0, len(lognorm), CELLS_PER_BLOCK):
            cells = slice(start, start + CELLS_PER_BLOCK)
            bottleneck[cells] = self.encode(lognorm[cells])
            reconstruction[cells] = softplus(self.decode(bottleneck[cells])[:, : self._n_genes])
        return reconstruction, bottleneck

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
