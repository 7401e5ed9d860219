"""scNAME's autoencoder, gradient by hand (Wan et al. 2022): G – 256 – 64 – 32 – 64 – 256 – heads.

ReLU follows every layer but the middle one, whose linear output is the latent. The published
settings name a Gaussian noise at the encoder's layers; the program never switches it on.

At 128 cells a step, a framework spends longer on its bookkeeping than on the arithmetic.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from impbench_plugins.shared.flat_weights import Float32, averages_of, draw_glorot, flat_zeros
from impbench_plugins.shared.keras_adam import EPSILON, adam
from impbench_plugins.shared.rectified import add_and_rectify, mask_and_add_up

HIDDEN = (256, 64, 32, 64, 256)
LATENT = 2
"""Place of the latent among the hidden layers."""

_TENSORFLOW_EPSILON = 1e-8
_SCALE = np.float32(EPSILON / _TENSORFLOW_EPSILON)
"""Adam divides by the gradients' size plus epsilon, so that a smaller epsilon is the same as
gradients that are larger by as much."""


class Autoencoder:
    """The layers, what the optimiser knows of them, and centres of clusters beside them.

    Parameters
    ----------
    n_genes, n_heads
        Width of the input, and how many outputs each gene has.
    n_centres
        How many centres of clusters are trained with the weights.
    rng
        Draws the weights from Glorot's distribution, each head a layer; biases start at 0.

    Attributes
    ----------
    centres, centre_gradients
        (n_centres, 32); the program's optimiser has them beside the weights.
    """

    def __init__(
        self, n_genes: int, n_heads: int, n_centres: int, rng: np.random.Generator
    ) -> None:
        widths = (n_genes, *HIDDEN, n_heads * n_genes)
        shapes: list[tuple[int, ...]] = [*pairwise(widths), *((width,) for width in widths[1:])]
        shapes.append((n_centres, HIDDEN[LATENT]))
        self._flat, parts = flat_zeros(shapes)
        self._gradients, by_parts = flat_zeros(shapes, quarter=1)
        n = len(widths) - 1
        self.weights, self.biases, self.centres = parts[:n], parts[n:-1], parts[-1]
        self.by_weights, self.by_biases, self.centre_gradients = (
            by_parts[:n], by_parts[n:-1], by_parts[-1]
        )  # fmt: skip
        draw_glorot((*self.weights[:-1], *np.split(self.weights[-1], n_heads, axis=1)), rng)
        self._n_genes = n_genes
        self._averages = averages_of(self._flat)
        self._steps = 0
        self._fresh = True  # All gradients are 0.

    def forward(self, cells: Float32) -> list[Float32]:
        """Return the input, (cells, genes), and every hidden layer, (cells, width)."""
        layers = [cells]
        for place in range(len(HIDDEN)):
            x = layers[-1] @ self.weights[place]
            if place == LATENT:
                x += self.biases[place]
            else:
                add_and_rectify(x, self.biases[place])
            layers.append(x)
        return layers

    def encode(self, cells: Float32) -> Float32:
        """Return the latent, (cells, 32)."""
        return self.forward(cells)[LATENT + 1]

    def heads(self, layers: list[Float32], first: int, n: int) -> Float32:
        """Return the linear outputs of `n` heads, (cells, n · genes), from the `first` on."""
        columns = slice(first * self._n_genes, (first + n) * self._n_genes)
        outputs = layers[-1] @ self.weights[-1][:, columns]
        outputs += self.biases[-1][columns]
        return np.asarray(outputs)

    def backward(
        self, layers: list[Float32], by_heads: Float32, first: int, by_latent: Float32 | None
    ) -> None:
        """Add to the gradients what one mini-batch contributes.

        Parameters
        ----------
        layers
            What `forward` returned.
        by_heads, first
            Derivatives by the outputs of some heads, as `heads` returns them.
        by_latent
            Derivatives by the latent of losses that stand there, (cells, 32).
        """
        columns = slice(first * self._n_genes, first * self._n_genes + by_heads.shape[1])
        adds = not self._fresh or by_heads.shape[1] < self.biases[-1].size
        self._fresh = False
        self._contribute(-1, layers[-1], by_heads, by_heads.sum(axis=0), columns, adds)
        by = by_heads @ self.weights[-1][:, columns].T
        for place in reversed(range(len(HIDDEN))):
            if place == LATENT:
                if by_latent is not None:
                    by += by_latent
                sums = by.sum(axis=0)
            else:
                sums = np.empty(HIDDEN[place], np.float32)
                mask_and_add_up(by, layers[place + 1], sums)
            self._contribute(place, layers[place], by, sums, slice(None), adds)
            if place > 0:
                by = by @ self.weights[place].T

    def _contribute(
        self, place: int, inputs: Float32, by: Float32, sums: Float32, columns: slice, adds: bool
    ) -> None:
        """Add to a layer's gradients; without `adds`, write over what is 0."""
        if adds:
            self.by_weights[place][:, columns] += inputs.T @ by
            self.by_biases[place][columns] += sums
        else:
            np.dot(inputs.T, by, out=self.by_weights[place])
            self.by_biases[place][:] = sums

    def descend(self, rate: float) -> None:
        """Take one step of TensorFlow 1's Adam, and start the gradients anew."""
        self._steps += 1
        self._gradients *= _SCALE
        adam(self._flat, self._gradients, *self._averages, self._steps, rate)
        self._gradients[:] = 0
        self._fresh = True
