"""contrastive-sc's encoder and its loss, gradient by hand (Ciortan & Defrance 2021).

    x̃ = d ∘ x / (1 − p)                       dropout of the input, the only augmentation
    h = ReLU(BN(x̃ W₁ + b₁)), ReLU(BN(· W₂ + b₂)), · W₃ + b₃;  z = h / ‖h‖

Two views of a mini-batch of B cells are two draws of d. With s_ij = z_i·z_j / T over the 2B rows,
the loss is the mean of −ln( e^{s_ij⁺} / Σ_{j≠i} e^{s_ij} ), j⁺ the other view of the same cell.

At a few hundred cells a step, a framework spends longer on its bookkeeping than on the arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from impbench_plugins.shared.flat_weights import Float32, flat_zeros
from impbench_plugins.shared.torch_adam import torch_adam

from .first_layer import gradient_of_kept, multiply_kept

WIDTHS = (200, 40, 60)
"""Of the published program's layers; its docstrings name others."""

MOMENTUM, TINY = 0.1, 1e-5
"""Batch normalisation as PyTorch starts it: weight of the newest batch, and what is added to a
variance."""

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


@dataclass
class _Pass:
    """What the way back needs of each hidden layer.

    Attributes
    ----------
    normalised, active
        (2 · cells, outputs): after the normalisation, and after ReLU.
    scales
        (2, outputs): 1 / standard deviation of each view.
    """

    normalised: list[Float32] = field(default_factory=list)
    active: list[Float32] = field(default_factory=list)
    scales: list[Float32] = field(default_factory=list)


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
    generator
        PyTorch's, which draws the weights and every dropout.
    """

    def __init__(
        self, n_genes: int, dropout: float, temperature: float, generator: torch.Generator
    ) -> None:
        widths = (n_genes, *WIDTHS)
        self.weights, self.gradients = EncoderWeights.zeros(widths), EncoderWeights.zeros(widths)
        biases = _draw_weights(self.weights.matrices, generator)
        for gain in self.weights.gains:
            gain[:] = 1
        # A bias ahead of a batch normalisation is taken away by it, and gets no gradient. All that
        # is left of it is where the running mean starts, 0 with the bias.
        *before, self.weights.last_bias[:] = biases
        self.means = [-bias for bias in before]
        self.variances = [np.ones(width, np.float32) for width in WIDTHS[:-1]]
        self._moments = np.zeros((2, self.weights.flat.size), np.float32)
        self._steps = 0
        self._dropout = dropout
        self._temperature = temperature
        self._generator = generator

    def descend(self, cells: Float32, rate: float) -> float:
        """Take one step on a mini-batch, (cells, genes), and return its loss."""
        loss = self.backpropagate(cells, self.draw_dropout(cells.shape))
        self._steps += 1
        torch_adam(self.weights.flat, self.gradients.flat, *self._moments, self._steps, rate)
        return loss

    def draw_dropout(self, shape: tuple[int, ...]) -> Float32:
        """Draw d of both views of a mini-batch, one below the other, (2 · cells, genes), 0 or 1."""
        kept = torch.empty((VIEWS, *shape))
        for view in kept:
            view.bernoulli_(1 - self._dropout, generator=self._generator)
        return np.asarray(kept.numpy().reshape(VIEWS * shape[0], -1))

    def backpropagate(self, cells: Float32, kept: Float32) -> float:
        """Fill `gradients` for two views, renew the running averages, and return the loss.

        Parameters
        ----------
        cells, kept
            x and d, (cells, genes) and (2 · cells, genes).
        """
        w, d, done = self.weights, self.gradients, _Pass()
        gain = np.float32(1 / (1 - self._dropout))
        sums = np.empty((len(kept), WIDTHS[0]), np.float32)
        multiply_kept(kept, cells, gain, w.matrices[0], sums)
        x = self._activate(sums, 0, done)
        x = self._activate(x @ w.matrices[1], 1, done)
        outputs = x @ w.matrices[2] + w.last_bias
        lengths = np.maximum(np.linalg.norm(outputs, axis=1, keepdims=True), 1e-12)
        z = outputs / lengths
        loss, by_z = contrast(z, self._temperature)
        by = (by_z - z * np.sum(z * by_z, axis=1, keepdims=True)) / lengths
        np.sum(by, axis=0, out=d.last_bias)
        np.dot(done.active[1].T, by, out=d.matrices[2])
        by = self._back_through_activation(by @ w.matrices[2].T, 1, done)
        np.dot(done.active[0].T, by, out=d.matrices[1])
        by = self._back_through_activation(by @ w.matrices[1].T, 0, done)
        gradient_of_kept(kept, cells, gain, by, d.matrices[0])
        return loss

    def encode(self, cells: Float32) -> Float32:
        """Return unit rows, (cells, 60), without dropout, by the running means and variances."""
        w, x = self.weights, cells
        for layer, gain in enumerate(w.gains):
            scale = gain / np.sqrt(self.variances[layer] + np.float32(TINY))
            x = (x @ w.matrices[layer] - self.means[layer]) * scale + w.shifts[layer]
            np.maximum(x, 0, out=x)
        outputs = x @ w.matrices[-1] + w.last_bias
        return np.asarray(
            outputs / np.maximum(np.linalg.norm(outputs, axis=1, keepdims=True), 1e-12)
        )

    def _activate(self, x: Float32, layer: int, done: _Pass) -> Float32:
        """Normalise each view by its own mean and variance, and let ReLU follow; in place."""
        by_view = x.reshape(VIEWS, -1, x.shape[1])
        n = by_view.shape[1]
        means = by_view.mean(axis=1)
        by_view -= means[:, None]
        variances = np.mean(np.square(by_view), axis=1)
        scales = 1 / np.sqrt(variances + np.float32(TINY))
        by_view *= scales[:, None]
        done.normalised.append(x.copy())
        done.scales.append(scales)
        for mean, variance in zip(means, variances * np.float32(n / (n - 1)), strict=True):
            for kept, new in ((self.means[layer], mean), (self.variances[layer], variance)):
                kept += np.float32(MOMENTUM) * (new - kept)
        x *= self.weights.gains[layer]
        x += self.weights.shifts[layer]
        np.maximum(x, 0, out=x)
        done.active.append(x)
        return x

    def _back_through_activation(self, by: Float32, layer: int, done: _Pass) -> Float32:
        w, d, normalised = self.weights, self.gradients, done.normalised[layer]
        by *= done.active[layer] > 0
        np.sum(by * normalised, axis=0, out=d.gains[layer])
        np.sum(by, axis=0, out=d.shifts[layer])
        shape = (VIEWS, -1, by.shape[1])
        g, y = (by * w.gains[layer]).reshape(shape), normalised.reshape(shape)
        g -= g.mean(axis=1, keepdims=True) + y * np.mean(g * y, axis=1, keepdims=True)
        g *= done.scales[layer][:, None]
        return np.asarray(g.reshape(by.shape))


def _draw_weights(matrices: list[Float32], generator: torch.Generator) -> list[Float32]:
    """Draw every layer's weights, (inputs, outputs), in place; return its biases.

    In the program's order, so that a seed gives what it gives there: each layer as PyTorch starts
    it, from U(±1/√inputs), then all weights anew from Glorot's uniform distribution.
    """
    biases = []
    for weights in matrices:
        n_inputs, n_outputs = weights.shape
        bound = n_inputs**-0.5
        torch.empty(n_outputs, n_inputs).uniform_(-bound, bound, generator=generator)
        biases.append(torch.empty(n_outputs).uniform_(-bound, bound, generator=generator).numpy())
    for weights in matrices:
        bound = float(np.sqrt(6 / sum(weights.shape)))
        drawn = torch.empty(*weights.shape[::-1]).uniform_(-bound, bound, generator=generator)
        weights[:] = drawn.numpy().T
    return biases


def contrast(z: Float32, temperature: float) -> tuple[float, Float32]:
    """NT-Xent of two views, one below the other.

    Parameters
    ----------
    z
        (2B, dimensions), unit rows.
    temperature
        T, 0.03 or more: below, single precision would lose the other cells.

    Returns
    -------
    Mean over the 2B rows, and its derivatives by `z`.
    """
    n = len(z)
    other = (np.arange(n) + n // VIEWS) % n
    own = np.sum(z * z[other], axis=1) / np.float32(temperature)
    # e^{s_ij − 1/T}: no cosine is above 1, so none needs a maximum of its own, and it is symmetric.
    likelihood = z @ (z.T / np.float32(temperature))
    likelihood -= np.float32(1 / temperature)
    np.exp(likelihood, out=likelihood)
    np.fill_diagonal(likelihood, 0)
    total = np.maximum(likelihood.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    loss = float(np.mean(np.log(total[:, 0]) + 1 / temperature - own, dtype=np.float64))
    sums = likelihood @ np.hstack([z, z / total])
    by = sums[:, : z.shape[1]] / total + sums[:, z.shape[1] :] - 2 * z[other]
    return loss, by * np.float32(1 / (n * temperature))
