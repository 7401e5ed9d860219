"""One of DeepImpute's networks: dense, ReLU, dropout, dense, softplus."""

from __future__ import annotations

import numpy as np
from impbench_plugins.shared.flat_weights import Float32
from impbench_plugins.shared.hidden_layer import HiddenLayerNetwork, softplus

from .blocks import GeneBlock


class DeepImputeNetwork(HiddenLayerNetwork):
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

    def __init__(
        self, block: GeneBlock, hidden: int, dropout: float, rng: np.random.Generator
    ) -> None:
        super().__init__(len(block.predictors), hidden, (len(block.targets),), dropout, rng)
        self.block = block

    def backpropagate(self, log_counts: Float32) -> None:
        """Fill `gradients` for one mini-batch, (cells, all genes).

        The loss is the mean over cells and targets of y · (y − ŷ)²: zeros do not count.
        """
        wanted = log_counts[:, self.block.targets]
        self._backpropagate(
            log_counts[:, self.block.predictors],
            lambda outputs: _replace_by_gradient(outputs, wanted),
        )

    def loss(self, log_counts: Float32) -> float:
        """Return the loss on some cells, (cells, all genes), without dropout."""
        wanted = log_counts[:, self.block.targets]
        error = self.predict(log_counts) - wanted
        return float(np.mean(wanted * error * error, dtype=np.float64))

    def predict(self, log_counts: Float32) -> Float32:
        """Return the prediction of ln(1 + count), (cells, targets), positive, without dropout."""
        return softplus(self.decode(self.encode(log_counts[:, self.block.predictors])))


def _replace_by_gradient(outputs: Float32, wanted: Float32) -> None:
    """Turn linear outputs into the loss's derivatives by them."""
    e = np.exp(-np.abs(outputs))
    slope = np.where(outputs > 0, 1, e) / (1 + e)
    error = np.maximum(outputs, 0) + np.log(1 + e) - wanted
    np.multiply(error, slope, out=outputs)
    outputs *= wanted
    outputs *= np.float32(2 / wanted.size)
