"""The trained network of the fast engine, run forward in NumPy; section 2.9."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from impbench_plugins.shared.one_thread import one_thread
from scipy.special import expit

from impbench import large

from .fast_network import LAYER_NORM_EPSILON
from .fast_weights import Float32, Weights
from .training import MaskClassData

_CELLS_PER_BLOCK = 1024


@dataclass(frozen=True)
class TrainedNetwork:
    """Weights after training; `hidden` and `bottleneck` are their widths before padding."""

    weights: Weights
    hidden: int
    bottleneck: int

    def reconstruct(self, data: MaskClassData) -> tuple[Float32, Float32]:
        """Run the uncorrupted data through the network.

        Returns
        -------
        X′ = invscale(ŝ), (cells, genes) on the log2 scale, and the bottleneck, (cells, bottleneck).
        """
        w, h, d = self.weights, self.hidden, self.bottleneck
        reconstruction = large.like(data.lognorm)
        embedding = np.empty((data.n_cells, d), dtype=np.float32)
        with one_thread():
            for start in range(0, data.n_cells, _CELLS_PER_BLOCK):
                cells = slice(start, start + _CELLS_PER_BLOCK)
                z = data.scaler.scale(data.lognorm[cells]) @ w.w1[:, :h] + w.b1[:h]
                z = _activate(z, w.g1[:h], w.c1[:h]) @ w.w2[:h, :d] + w.b2[:d]
                embedding[cells] = _activate(z, w.g2[:d], w.c2[:d])
                z = embedding[cells] @ w.w3[:d, :h] + w.b3[:h]
                s_hat = _activate(z, w.g3[:h], w.c3[:h]) @ w.w4[:, :h].T + w.b4
                reconstruction[cells] = data.scaler.invscale(s_hat)
                large.release(reconstruction, data.lognorm, rows=cells)
        return reconstruction, embedding


def _activate(z: Float32, gain: Float32, shift: Float32) -> Float32:
    """SiLU(LayerNorm(z)), row by row."""
    z = z - z.mean(axis=1, keepdims=True)
    z /= np.sqrt(np.square(z).mean(axis=1, keepdims=True) + LAYER_NORM_EPSILON)
    y = gain * z + shift
    return np.asarray(y * expit(y))
