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

WIDTHS = (200, 40, 60)
"""Of the published program's layers; its docstrings name others."""

MOMENTUM, TINY = 0.1, 1e-5
"""Batch normalisation as PyTorch starts it: weight of the newest batch, and what is added to a
variance."""

VIEWS = 2


@dataclass(frozen=True)
class Weights:
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
    def zeros(cls, widths: tuple[int, ...]) -> Weights:
        """Allocate; `widths` begins with the number of genes."""
        n = len(widths) - 1
        shapes: list[tuple[int, ...]] = list(pairwise(widths))
        shapes += [(width,) for _ in range(2) for width in widths[1:-1]] + [(widths[-1],)]
        flat, parts = flat_zeros(shapes)
        return cls(flat, parts[:n], parts[n : 2 * n - 1], parts[2 * n - 1 : -1], parts[-1])


@dataclass
class _Pass:
    """What the way back needs: inputs of each layer, normalised values, and 1 / sd of each view."""

    inputs: list[Float32] = field(default_factory=list)
    normalised: list[Float32] = field(default_factory=list)
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
        T.
    generator
        PyTorch's, which draws the weights and every dropout.
    """

    def __init__(
        self, n_genes: int, dropout: float, temperature: float, generator: torch.Generator
    ) -> None:
        widths = (n_genes, *WIDTHS)
        self.weights, self.gradients = Weights.zeros(widths), Weights.zeros(widths)
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
        loss = self.backpropagate(self.draw_views(cells))
        self._steps += 1
        torch_adam(self.weights.flat, self.gradients.flat, *self._moments, self._steps, rate)
        return loss

    def draw_views(self, cells: Float32) -> Float32:
        """Return both views of a mini-batch, one below the other, (2 · cells, genes)."""
        kept = 1 - self._dropout
        views = torch.empty((VIEWS, *cells.shape))
        for view in views:
            view.bernoulli_(kept, generator=self._generator)
        scaled = cells * np.float32(1 / kept)
        return np.asarray((views.numpy() * scaled).reshape(VIEWS * len(cells), -1))

    def backpropagate(self, views: Float32) -> float:
        """Fill `gradients` for two views, renew the running averages, and return the loss."""
        w, d, done = self.weights, self.gradients, _Pass()
        x = views
        for layer in range(len(w.gains)):
            done.inputs.append(x)
            x = self._normalise(x @ w.matrices[layer], layer, done)
            x *= w.gains[layer]
            x += w.shifts[layer]
            np.maximum(x, 0, out=x)
        done.inputs.append(x)
        outputs = x @ w.matrices[-1] + w.last_bias
        lengths = np.maximum(np.linalg.norm(outputs, axis=1, keepdims=True), 1e-12)
        z = outputs / lengths
        loss, by_z = contrast(z, self._temperature)
        by = (by_z - z * np.sum(z * by_z, axis=1, keepdims=True)) / lengths
        np.sum(by, axis=0, out=d.last_bias)
        np.dot(done.inputs[-1].T, by, out=d.matrices[-1])
        for layer in reversed(range(len(w.gains))):
            by = by @ w.matrices[layer + 1].T
            by *= done.inputs[layer + 1] > 0
            by = self._back_through_normalisation(by, layer, done)
            np.dot(done.inputs[layer].T, by, out=d.matrices[layer])
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

    def _normalise(self, x: Float32, layer: int, done: _Pass) -> Float32:
        """Normalise each view by its own mean and variance."""
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
        return x

    def _back_through_normalisation(self, by: Float32, layer: int, done: _Pass) -> Float32:
        w, d, normalised = self.weights, self.gradients, done.normalised[layer]
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
        T.

    Returns
    -------
    Mean over the 2B rows, and its derivatives by `z`.
    """
    n = len(z)
    scores = z @ (z.T / np.float32(temperature))
    np.fill_diagonal(scores, -np.inf)
    rows, other = np.arange(n), (np.arange(n) + n // VIEWS) % n
    own = scores[rows, other]
    top = scores.max(axis=1)
    # In place: the likelihood of each row's partner among all others.
    np.exp(scores - top[:, None], out=scores)
    total = scores.sum(axis=1)
    loss = float(np.mean(np.log(total) + top - own, dtype=np.float64))
    scores /= total[:, None]
    scores[rows, other] -= 1
    by = (scores + scores.T) @ z
    return loss, by * np.float32(1 / (n * temperature))
