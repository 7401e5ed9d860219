"""scGNN's feature autoencoder, its gradient by hand (Wang et al. 2021, Methods).

    h₁ = ReLU(x W₁ + b₁),  z = ReLU(h₁ W₂ + b₂),  h₂ = ReLU(z W₃ + b₃),  x̂ = ReLU(h₂ W₄ + b₄)

The loss is Σ_j Σ_g w_jg (x̂_jg − x_jg)² + γ Σ |θ| over all weights and biases θ: sums, not means.

All cells make one batch: nearly all time goes into products of matrices. What stands between two
of them is one compiled pass over arrays that are kept from step to step.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from impbench_plugins.shared.compiled import njit
from impbench_plugins.shared.flat_weights import Float32, averages_of, flat_zeros
from impbench_plugins.shared.rectified import add_and_rectify, mask_and_add_up
from impbench_plugins.shared.torch_adam import torch_adam

LEARNING_RATE = 1e-3


class FeatureAutoencoder:
    """The network, its gradients and its optimiser, trained on all cells at once.

    Parameters
    ----------
    x
        (cells, genes) float32, ln(1 + count).
    hidden, latent
        Widths of the outer hidden layers and of the embedding.
    penalty
        γ, weight of Σ |θ|.
    generator
        PyTorch's, which draws the first weights as the published program does.
    """

    def __init__(
        self, x: Float32, hidden: int, latent: int, penalty: float, generator: torch.Generator
    ) -> None:
        widths = (x.shape[1], hidden, latent, hidden, x.shape[1])
        shapes: list[tuple[int, ...]] = [*pairwise(widths), *((width,) for width in widths[1:])]
        n = len(widths) - 1
        self._flat, parts = flat_zeros(shapes)
        self.matrices, self.biases = parts[:n], parts[n:]
        self._flat_gradients, parts = flat_zeros(shapes, quarter=1)
        self.matrix_gradients, self.bias_gradients = parts[:n], parts[n:]
        _draw(self.matrices, self.biases, generator)
        self._first = self._flat.copy()
        self._x, self._penalty = x, penalty
        self._outputs = [np.empty((len(x), width), np.float32) for width in widths[1:]]
        self._by = [np.empty_like(outputs) for outputs in self._outputs]
        self._averages = averages_of(self._flat)
        self._steps = 0

    def restart(self) -> None:
        """Go back to the first weights and a fresh optimiser."""
        self._flat[:] = self._first
        for average in self._averages:
            average[:] = 0
        self._steps = 0

    def forward(self) -> list[Float32]:
        """Return x, h₁, z, h₂ and x̂, (cells, width) each; the next call writes over all but x."""
        layers = [self._x, *self._outputs]
        for place, (matrix, bias) in enumerate(zip(self.matrices, self.biases, strict=True)):
            np.dot(layers[place], matrix, out=layers[place + 1])
            add_and_rectify(layers[place + 1], bias)
        return layers

    def step(self, weights: Float32) -> list[Float32]:
        """Take one step of Adam; return what `forward` gave before it.

        Parameters
        ----------
        weights
            w of the squared errors, float32: (cells, genes), or (cells, 1) for one of each cell.
        """
        layers = self.forward()
        self.backpropagate(layers, weights)
        self._steps += 1
        torch_adam(self._flat, self._flat_gradients, *self._averages, self._steps, LEARNING_RATE)
        return layers

    def backpropagate(self, layers: list[Float32], weights: Float32) -> None:
        """Fill the gradients by what `forward` gave."""
        differences(layers[-1], self._x, 2 * weights, self._by[-1])
        for layer in reversed(range(len(self.matrices))):
            by = self._by[layer]
            mask_and_add_up(by, layers[layer + 1], self.bias_gradients[layer])
            np.dot(layers[layer].T, by, out=self.matrix_gradients[layer])
            if layer > 0:
                np.dot(by, self.matrices[layer].T, out=self._by[layer - 1])
        add_signs(self._flat, np.float32(self._penalty), self._flat_gradients)


@njit(nogil=True)
def differences(given: Any, x: Any, weights: Any, by: Any) -> None:
    """Fill `by` with w (x̂ − x), (cells, genes); w may have one column for all genes."""
    for cell in range(given.shape[0]):
        if weights.shape[1] == 1:
            weight = weights[cell, 0]
            for gene in range(given.shape[1]):
                by[cell, gene] = (given[cell, gene] - x[cell, gene]) * weight
        else:
            for gene in range(given.shape[1]):
                by[cell, gene] = (given[cell, gene] - x[cell, gene]) * weights[cell, gene]


@njit(nogil=True)
def add_signs(weights: Any, penalty: Any, gradients: Any) -> None:
    """Add the derivatives of penalty · Σ |θ|, 0 at 0, to the gradients; float32, in place."""
    one, zero = np.float32(1), np.float32(0)
    for k in range(weights.size):
        # Two choices of a number, and no branch, become vector instructions.
        up = one if weights[k] > 0 else zero
        down = one if weights[k] < 0 else zero
        gradients[k] += penalty * (up - down)


def _draw(matrices: list[Float32], biases: list[Float32], generator: torch.Generator) -> None:
    """Draw weights and biases from U(±1/√inputs), layer by layer, as PyTorch starts them."""
    for matrix, bias in zip(matrices, biases, strict=True):
        bound = len(matrix) ** -0.5
        drawn = torch.empty(*matrix.shape[::-1]).uniform_(-bound, bound, generator=generator)
        matrix[:] = drawn.numpy().T
        bias[:] = torch.empty(len(bias)).uniform_(-bound, bound, generator=generator).numpy()
