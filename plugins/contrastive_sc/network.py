"""contrastive-sc's encoder and its loss, gradient by hand (Ciortan & Defrance 2021).

    x̃ = d ∘ x / (1 − p)                       dropout of the input, the only augmentation
    h = ReLU(BN(x̃ W₁ + b₁)), ReLU(BN(· W₂ + b₂)), · W₃ + b₃;  z = h / ‖h‖

Two views of a mini-batch of B cells are two draws of d. With s_ij = z_i·z_j / T over the 2B rows,
the loss is the mean of −ln( e^{s_ij⁺} / Σ_{j≠i} e^{s_ij} ), j⁺ the other view of the same cell.

At a few hundred cells a step, a framework spends longer on its bookkeeping than on the arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from impbench_plugins.shared.flat_weights import Float32, flat_zeros
from impbench_plugins.shared.torch_adam import torch_adam
from impbench_plugins.shared.torch_random import TorchRandom

from .contrast import contrast
from .first_layer import KeptInput
from .normalised_layer import TINY, activate, back_through_activation

WIDTHS = (200, 40, 60)
"""Of the published program's layers; its docstrings name others."""

VIEWS = 2


@dataclass(frozen=True)
class EncoderWeights:
    """Weights, or their gradients; views of one buffer, `flat`.

    Attributes
    ----------
    matrices
        (inputs, outputs) of each layer.
    gains, shifts
        (outputs,) of each batch normalisation.
    last_bias
        (outputs,) of the last layer.
    """

    flat: Float32
    matrices: list[Float32]
    gains: list[Float32]
    shifts: list[Float32]
    last_bias: Float32

    @classmethod
    def zeros(cls, widths: tuple[int, ...]) -> EncoderWeights:
        """Allocate; `widths` begins with the number of genes."""
        n = len(widths) - 1
        shapes: list[tuple[int, ...]] = list(pairwise(widths))
        shapes += [(width,) for _ in range(2) for width in widths[1:-1]] + [(widths[-1],)]
        flat, parts = flat_zeros(shapes)
        return cls(flat, parts[:n], parts[n : 2 * n - 1], parts[2 * n - 1 : -1], parts[-1])


class _HiddenLayer:
    """What the way back needs of a hidden layer, and its running averages.

    Attributes
    ----------
    normalised, active
        (2 · cells, outputs): after the normalisation, and after ReLU.
    scales
        (2, outputs): 1 / standard deviation of each view.
    running
        (2, outputs): means and variances.
    """

    def __init__(self, bias: Float32) -> None:
        # A bias ahead of a batch normalisation is taken away by it, and gets no gradient. All that
        # is left of it is where the running mean starts, 0 with the bias.
        self.running = np.stack([-bias, np.ones_like(bias)])
        self.scales = np.empty((VIEWS, len(bias)), np.float32)

    def activate(self, sums: Float32, gain: Float32, shift: Float32) -> Float32:
        self.normalised, self.active = np.empty_like(sums), np.empty_like(sums)
        activate(sums, gain, shift, self.running, self.normalised, self.active, self.scales)
        return self.active

    def back(self, by: Float32, gain: Float32, by_gain: Float32, by_shift: Float32) -> Float32:
        parts = (self.normalised, self.active, self.scales)
        back_through_activation(by, gain, *parts, by_gain, by_shift)
        return by


class ContrastiveNetwork:
    """The encoder, its gradients, its running means and variances, and a step of Adam.

    Parameters
    ----------
    n_genes
        Width of the input.
    dropout
        p, share of the input that a view lacks.
    temperature
        T, 0.03 or more: below, single precision would lose the other cells.
    random
        Draws the weights and every dropout.
    """

    def __init__(
        self, n_genes: int, dropout: float, temperature: float, random: TorchRandom
    ) -> None:
        widths = (n_genes, *WIDTHS)
        self.weights, self.gradients = EncoderWeights.zeros(widths), EncoderWeights.zeros(widths)
        biases = _draw_weights(self.weights.matrices, random)
        for gain in self.weights.gains:
            gain[:] = 1
        *before, self.weights.last_bias[:] = biases
        self._hidden = [_HiddenLayer(bias) for bias in before]
        self._moments = np.zeros((2, self.weights.flat.size), np.float32)
        self._steps = 0
        self._dropout = dropout
        self._temperature = temperature
        self._random = random

    def descend(self, cells: Float32, rate: float) -> float:
        """Take one step on a mini-batch, (cells, genes), and return its loss."""
        loss = self.backpropagate(self.drop_out(cells))
        self._steps += 1
        torch_adam(self.weights.flat, self.gradients.flat, *self._moments, self._steps, rate)
        return loss

    def drop_out(self, cells: Float32) -> KeptInput:
        """Draw d of both views of a mini-batch, (cells, genes)."""
        n_cells, n_genes = cells.shape
        drawn = self._random.successes(VIEWS * n_cells, n_genes, 1 - self._dropout)
        return KeptInput.of(cells, 1 / (1 - self._dropout), *drawn)

    def backpropagate(self, kept: KeptInput) -> float:
        """Fill `gradients` for two views, renew the running averages, and return the loss."""
        w, d, (first, second) = self.weights, self.gradients, self._hidden
        sums = kept.multiply(w.matrices[0])
        x = first.activate(sums, w.gains[0], w.shifts[0])
        x = second.activate(x @ w.matrices[1], w.gains[1], w.shifts[1])
        outputs = x @ w.matrices[2] + w.last_bias
        lengths = np.maximum(np.linalg.norm(outputs, axis=1, keepdims=True), 1e-12)
        z = outputs / lengths
        loss, by_z = contrast(z, self._temperature)
        by = (by_z - z * np.sum(z * by_z, axis=1, keepdims=True)) / lengths
        np.sum(by, axis=0, out=d.last_bias)
        np.dot(second.active.T, by, out=d.matrices[2])
        by = second.back(by @ w.matrices[2].T, w.gains[1], d.gains[1], d.shifts[1])
        np.dot(first.active.T, by, out=d.matrices[1])
        by = first.back(by @ w.matrices[1].T, w.gains[0], d.gains[0], d.shifts[0])
        kept.gradient(by, d.matrices[0])
        return loss

    def encode(self, cells: Float32) -> Float32:
        """Return unit rows, (cells, 60), without dropout, by the running means and variances."""
        w, x = self.weights, cells
        for layer, gain in enumerate(w.gains):
            mean, variance = self._hidden[layer].running
            scale = gain / np.sqrt(variance + TINY)
            x = (x @ w.matrices[layer] - mean) * scale + w.shifts[layer]
            np.maximum(x, 0, out=x)
        outputs = x @ w.matrices[-1] + w.last_bias
        return np.asarray(
            outputs / np.maximum(np.linalg.norm(outputs, axis=1, keepdims=True), 1e-12)
        )


def _draw_weights(matrices: list[Float32], random: TorchRandom) -> list[Float32]:
    """Draw every layer's weights, (inputs, outputs), in place; return its biases.

    In the program's order, so that a seed gives what it gives there: each layer as PyTorch starts
    it, from U(±1/√inputs), then all weights anew from Glorot's uniform distribution.
    """
    biases = []
    for weights in matrices:
        n_inputs, n_outputs = weights.shape
        bound = n_inputs**-0.5
        random.uniform((n_outputs, n_inputs), bound)
        biases.append(random.uniform((n_outputs,), bound))
    for weights in matrices:
        bound = float(np.sqrt(6 / sum(weights.shape)))
        weights[:] = random.uniform(weights.shape[::-1], bound).T
    return biases
