"""DCA's autoencoder with its gradient written by hand.

At 32 cells a step, a framework spends longer on its own bookkeeping than on the arithmetic. Here a
step is a dozen matrix products in NumPy, everything between them is one compiled loop each, and all
weights lie in one buffer, so that the optimiser is one loop as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from impbench_plugins.shared.compiled import njit
from impbench_plugins.shared.flat_weights import Float32, draw_glorot, flat_zeros

from .likelihood import MEAN_BOUNDS, Noise

BATCH_NORM_EPSILON = 1e-3
BATCH_NORM_MOMENTUM = 0.99


@dataclass(frozen=True)
class DcaWeights:
    """Weights, or their gradients; views of one buffer, `flat`.

    Attributes
    ----------
    weights
        One (inputs, outputs) matrix per hidden layer. These layers have no bias: batch
        normalisation, which follows each, would subtract it again.
    centres
        Batch normalisation's shift per hidden layer; it has no scale.
    head_weights, head_bias
        The last layer, (last hidden, heads × genes) and (heads × genes,).
    log_theta
        ln θ of each gene, (genes,).
    """

    flat: Float32
    weights: tuple[Float32, ...]
    centres: tuple[Float32, ...]
    head_weights: Float32
    head_bias: Float32
    log_theta: Float32

    @classmethod
    def zeros(cls, n_genes: int, hidden: tuple[int, ...], n_heads: int) -> DcaWeights:
        """Allocate."""
        layers = list(zip((n_genes, *hidden), hidden, strict=False))
        shapes: list[tuple[int, ...]] = [*layers, *((width,) for width in hidden)]
        shapes += [(hidden[-1], n_heads * n_genes), (n_heads * n_genes,), (n_genes,)]
        flat, parts = flat_zeros(shapes)
        n = len(hidden)
        return cls(flat, tuple(parts[:n]), tuple(parts[n : 2 * n]), *parts[2 * n :])


class DcaNetwork:
    """G – hidden – bottleneck – hidden – heads; each hidden layer is Linear, batch norm, ReLU.

    Parameters
    ----------
    n_genes
        Number of genes.
    hidden
        Widths of the hidden layers; the middle one is the bottleneck.
    noise
        The likelihood, which decides how many heads there are.
    rng
        Draws the weights from Glorot's distribution, each head a layer; the rest starts at 0.
    train_dropout
        Whether the dropout head learns, if there is one, or keeps its first weights.
    """

    def __init__(
        self,
        n_genes: int,
        hidden: tuple[int, ...],
        noise: Noise,
        rng: np.random.Generator,
        train_dropout: bool = True,
    ) -> None:
        self.noise = noise
        self.frozen_outputs = n_genes if noise.zero_inflated and not train_dropout else 0
        self.parameters = DcaWeights.zeros(n_genes, hidden, noise.n_heads)
        self.gradients = DcaWeights.zeros(n_genes, hidden, noise.n_heads)
        heads = np.split(self.parameters.head_weights, noise.n_heads, axis=1)
        draw_glorot((*self.parameters.weights, *heads), rng)
        self.moving_means = tuple(np.zeros(width, np.float32) for width in hidden)
        self.moving_variances = tuple(np.ones(width, np.float32) for width in hidden)

    def backpropagate(self, inputs: Float32, counts: Float32, factors: Float32) -> None:
        """Fill `gradients` for one mini-batch, and move the averages of batch normalisation.

        Parameters
        ----------
        inputs
            z-scored log counts, (cells, genes).
        counts, factors
            Raw counts, (cells, genes), and size factors, (cells,).
        """
        p, d = self.parameters, self.gradients
        activations, normalised, scales = [inputs], [], []
        for k, centre in enumerate(p.centres):
            z = activations[k] @ p.weights[k]
            scales.append(_normalise(z, self.moving_means[k], self.moving_variances[k]))
            normalised.append(z)
            activations.append(np.maximum(z + centre, 0))
        heads = activations[-1] @ p.head_weights
        heads += p.head_bias
        d.log_theta[:] = self.noise.gradient(heads, p.log_theta, counts, factors)
        np.dot(activations[-1].T, heads, out=d.head_weights)
        np.sum(heads, axis=0, out=d.head_bias)
        if self.frozen_outputs:
            d.head_weights[:, -self.frozen_outputs :] = 0
            d.head_bias[-self.frozen_outputs :] = 0
        d_a = heads @ p.head_weights.T
        for k in reversed(range(len(p.weights))):
            _normalise_gradient(d_a, activations[k + 1], normalised[k], scales[k], d.centres[k])
            np.dot(activations[k].T, d_a, out=d.weights[k])
            if k > 0:
                d_a = d_a @ p.weights[k].T

    def loss(self, inputs: Float32, counts: Float32, factors: Float32) -> float:
        """Return the mean negative log-likelihood, by the moving averages."""
        heads = self._evaluate(inputs)[-1]
        return self.noise.loss(heads, self.parameters.log_theta, counts, factors)

    def denoise(self, inputs: Float32, factors: Float32) -> tuple[Float32, Float32]:
        """Return mean × size factor, (cells, genes), and the bottleneck, (cells, width).

        The bottleneck is the linear output of its layer, before batch normalisation and ReLU.
        """
        layers = self._evaluate(inputs)
        mean = np.clip(np.exp(layers[-1][:, : inputs.shape[1]]), *MEAN_BOUNDS)
        return mean * factors[:, None], layers[len(self.moving_means) // 2]

    def _evaluate(self, inputs: Float32) -> list[Float32]:
        """Return every layer's linear output, by the moving averages; the last are the heads."""
        p, activation, outputs = self.parameters, inputs, []
        for k, centre in enumerate(p.centres):
            outputs.append(activation @ p.weights[k])
            scale = 1 / np.sqrt(self.moving_variances[k] + np.float32(BATCH_NORM_EPSILON))
            activation = np.maximum((outputs[k] - self.moving_means[k]) * scale + centre, 0)
        return [*outputs, activation @ p.head_weights + p.head_bias]


@njit(fastmath=True, error_model="numpy", nogil=True)
def _normalise(z: Any, moving_mean: Any, moving_variance: Any) -> Any:
    """Normalise the columns of `z` in place; return what they were multiplied by."""
    n, width = z.shape
    mean, variance = np.zeros(width, np.float32), np.zeros(width, np.float32)
    for i in range(n):
        for j in range(width):
            mean[j] += z[i, j]
    mean /= np.float32(n)
    for i in range(n):
        for j in range(width):
            z[i, j] -= mean[j]
            variance[j] += z[i, j] * z[i, j]
    variance /= np.float32(n)
    scale = 1 / np.sqrt(variance + np.float32(BATCH_NORM_EPSILON))
    for i in range(n):
        for j in range(width):
            z[i, j] *= scale[j]
    step = np.float32(1 - BATCH_NORM_MOMENTUM)
    moving_mean += step * (mean - moving_mean)
    moving_variance += step * (variance - moving_variance)
    return scale


@njit(fastmath=True, error_model="numpy", nogil=True)
def _normalise_gradient(d: Any, activation: Any, normalised: Any, scale: Any, d_centre: Any) -> Any:
    """Turn `d`, derivatives by the activation, into those by the linear output, in place."""
    n, width = d.shape
    along = np.zeros(width, np.float32)
    d_centre[:] = 0
    for i in range(n):
        for j in range(width):
            d[i, j] = d[i, j] if activation[i, j] > 0 else np.float32(0)
            d_centre[j] += d[i, j]
            along[j] += d[i, j] * normalised[i, j]
    size = np.float32(n)
    for i in range(n):
        for j in range(width):
            mean = (d_centre[j] + normalised[i, j] * along[j]) / size
            d[i, j] = scale[j] * (d[i, j] - mean)
