"""CLEAR's steps on a CPU: the gradient by hand, NumPy's products, one loop over all weights.

With the letters of `network`, p = softmax of [q·k, q·u_j] / T and g = (p − [own key]) / (n T):

    ∂/∂q = g₀ k + Σ_j g_j u_j,   ∂/∂e = (∂/∂q − q (q·∂/∂q)) / ‖e‖,   then back through both layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from impbench_plugins.shared.compiled import njit
from impbench_plugins.shared.flat_weights import Float32, flat_zeros

from .start import SGD_MOMENTUM, WEIGHT_DECAY, Start


@dataclass(frozen=True)
class _Layers:
    """W₁ and W₂, (inputs, outputs), and their biases, or gradients; views of one buffer, `flat`."""

    flat: Float32
    first: Float32
    first_bias: Float32
    second: Float32
    second_bias: Float32

    @classmethod
    def zeros(cls, n_inputs: int, hidden: int, n_outputs: int) -> _Layers:
        flat, parts = flat_zeros([(n_inputs, hidden), (hidden,), (hidden, n_outputs), (n_outputs,)])
        return cls(flat, *parts)


@dataclass(frozen=True)
class _Encoded:
    """The hidden layer, the coordinates of length 1, and the lengths they had, (cells, 1)."""

    hidden: Float32
    unit: Float32
    lengths: Float32


class HandSteps:
    """Both encoders, the queue and the optimiser.

    Parameters
    ----------
    start
        First weights and keys.
    temperature, momentum
        T, and the share of its own weights that the key's encoder keeps.
    """

    def __init__(self, start: Start, temperature: float, momentum: float) -> None:
        w = start.weights
        shape = (w.first.shape[1], *w.second.shape[::-1])
        self._query, self._key, self._by = (_Layers.zeros(*shape) for _ in range(3))
        self._query.first[:], self._query.second[:] = w.first.numpy().T, w.second.numpy().T
        self._query.first_bias[:], self._query.second_bias[:] = w.first_bias, w.second_bias
        self._key.flat[:] = self._query.flat
        self._velocity = np.zeros_like(self._query.flat)
        self._queue, self._oldest = start.queue.numpy().T.copy(), 0
        self._temperature, self._momentum = temperature, momentum

    def descend(self, views: Float32, rate: float) -> float:
        """Take one step on both views of a mini-batch, (2, cells, genes); return its loss."""
        _follow(self._key.flat, self._query.flat, np.float32(1 - self._momentum))
        seen, other = views
        keys = _encode(other, self._key).unit
        loss = self._backpropagate(seen, keys)
        _descend(self._query.flat, self._by.flat, self._velocity, np.float32(rate))
        self._queue[self._oldest : self._oldest + len(keys)] = keys
        self._oldest = (self._oldest + len(keys)) % len(self._queue)
        return loss

    def encode(self, cells: Float32) -> Float32:
        """Return the coordinates of cells, (cells, genes), by the key's weights."""
        return _encode(cells, self._key).unit

    def _backpropagate(self, cells: Float32, keys: Float32) -> float:
        """Fill the gradients; return the loss."""
        w, d, n = self._query, self._by, len(cells)
        query = _encode(cells, w)
        q = query.unit
        own = np.sum(q * keys, axis=1, keepdims=True)
        p = np.hstack([own, q @ self._queue.T])
        p /= np.float32(self._temperature)
        p -= p.max(axis=1, keepdims=True)
        first = p[:, 0].copy()
        np.exp(p, out=p)
        totals = p.sum(axis=1, keepdims=True)
        loss = float(np.mean(np.log(totals[:, 0]) - first, dtype=np.float64))
        p /= totals
        p[:, 0] -= 1
        p *= np.float32(1 / (n * self._temperature))
        by = p[:, 1:] @ self._queue
        by += p[:, :1] * keys
        by -= q * np.sum(q * by, axis=1, keepdims=True)
        by /= query.lengths
        by *= q > 0
        np.dot(query.hidden.T, by, out=d.second)
        np.sum(by, axis=0, out=d.second_bias)
        by = by @ w.second.T
        by *= query.hidden > 0
        np.dot(cells.T, by, out=d.first)
        np.sum(by, axis=0, out=d.first_bias)
        return loss


def _encode(x: Float32, w: _Layers) -> _Encoded:
    hidden = x @ w.first
    hidden += w.first_bias
    np.maximum(hidden, 0, out=hidden)
    outputs = hidden @ w.second
    outputs += w.second_bias
    np.maximum(outputs, 0, out=outputs)
    lengths = np.maximum(np.linalg.norm(outputs, axis=1, keepdims=True), np.float32(1e-12))
    return _Encoded(hidden, outputs / lengths, lengths)


@njit(fastmath=True, error_model="numpy", nogil=True)
def _follow(own: Any, other: Any, share: Any) -> None:
    """Become (1 − share) · own + share · other, in place."""
    for k in range(own.size):
        own[k] += share * (other[k] - own[k])


@njit(fastmath=True, error_model="numpy", nogil=True)
def _descend(weights: Any, gradients: Any, velocity: Any, rate: Any) -> None:
    """Take a step of gradient descent with momentum and weight decay, as PyTorch has it."""
    decay, keep = np.float32(WEIGHT_DECAY), np.float32(SGD_MOMENTUM)
    for k in range(weights.size):
        velocity[k] = keep * velocity[k] + (gradients[k] + decay * weights[k])
        weights[k] -= rate * velocity[k]
