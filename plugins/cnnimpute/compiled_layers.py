"""Two layers of cnnImpute's network in one compiled pass each, with their gradients.

The first convolution with ReLU and pooling, and batch normalisation in training. As chains of
PyTorch's operations they took two thirds of a training step.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from impbench_plugins.shared.compiled import njit
from torch import Tensor

Normal = tuple[Tensor, Tensor, Tensor]


def convolve_and_pool(inputs: Tensor, weights: Tensor, biases: Tensor) -> Tensor:
    """Return the larger of two neighbouring positions of a convolution of width 3, at least 0.

    Parameters
    ----------
    inputs
        (cells, length); they get no gradient.
    weights, biases
        (filters, 1, 3) and (filters,).

    Returns
    -------
    (cells, filters, (length − 2) // 2), of the inputs' type.
    """
    result: Tensor = _ConvolveAndPool.apply(inputs, weights, biases)
    return result


def normalise(x: Tensor, share: Tensor, gain: Tensor, shift: Tensor, epsilon: float) -> Normal:
    """Return channels of mean 0 and variance 1, times a gain and plus a shift, and the moments.

    Parameters
    ----------
    x
        (cells, channels, positions).
    share
        (positions,) weight of each position in mean and variance; adds to 1.
    gain, shift
        (channels, 1).
    epsilon
        Added to the variance.

    Returns
    -------
    The same shape as `x`, mean and variance, (channels, 1) each; the latter two have no gradient.
    """
    result: Normal = _Normalise.apply(x, share, gain, shift, epsilon)
    return result


class _ConvolveAndPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weights: Tensor, biases: Tensor) -> Tensor:
        ctx.save_for_backward(inputs, weights, biases)
        arrays = (inputs.numpy(), weights.detach().numpy()[:, 0], biases.detach().numpy())
        return torch.from_numpy(_forward(*arrays))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, Tensor]:
        inputs, weights, biases = (tensor.detach().numpy() for tensor in ctx.saved_tensors)
        above = np.ascontiguousarray(gradients[0].numpy())
        of_weights, of_biases = _backward(inputs, weights[:, 0], biases, above)
        return None, torch.from_numpy(of_weights)[:, None], torch.from_numpy(of_biases)


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, share: Tensor, gain: Tensor, shift: Tensor, epsilon: float
    ) -> Normal:
        values = np.ascontiguousarray(x.detach().numpy())
        weights = (share / len(x)).numpy().astype(values.dtype)
        mean, variance = _moments(values, weights)
        scale = 1 / np.sqrt(variance + values.dtype.type(epsilon))
        ctx.values, ctx.weights, ctx.mean, ctx.scale = values, weights, mean, scale
        ctx.gain = gain.detach().numpy()[:, 0]
        result = _apply(values, mean, scale * ctx.gain, shift.detach().numpy()[:, 0])
        moments = torch.from_numpy(mean)[:, None], torch.from_numpy(variance)[:, None]
        ctx.mark_non_differentiable(*moments)
        return torch.from_numpy(result), *moments

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, Tensor, Tensor, None]:
        above = np.ascontiguousarray(gradients[0].numpy())
        below, of_gain, of_shift = _normalise_backward(
            ctx.values, ctx.weights, ctx.mean, ctx.scale, ctx.gain, above
        )
        columns = torch.from_numpy(of_gain)[:, None], torch.from_numpy(of_shift)[:, None]
        return torch.from_numpy(below), None, *columns, None


@njit(nogil=True, fastmath=True, error_model="numpy")
def _forward(x: Any, weights: Any, biases: Any) -> Any:
    n_cells, n_filters, n_pooled = x.shape[0], weights.shape[0], (x.shape[1] - 2) // 2
    result = np.empty((n_cells, n_filters, n_pooled), x.dtype)
    for cell in range(n_cells):
        row = x[cell]
        for f in range(n_filters):
            w0, w1, w2, bias = weights[f, 0], weights[f, 1], weights[f, 2], biases[f]
            out = result[cell, f]
            for p in range(n_pooled):
                middle, next_one = row[2 * p + 1], row[2 * p + 2]
                first = w0 * row[2 * p] + w1 * middle + w2 * next_one
                second = w0 * middle + w1 * next_one + w2 * row[2 * p + 3]
                out[p] = max(max(first, second) + bias, 0)
    return result


@njit(nogil=True, fastmath=True, error_model="numpy")
def _backward(x: Any, weights: Any, biases: Any, gradient: Any) -> Any:
    n_cells, n_filters, n_pooled = gradient.shape
    of_weights, of_biases = np.zeros_like(weights), np.zeros_like(biases)
    zero = x.dtype.type(0)
    for cell in range(n_cells):
        row = x[cell]
        for f in range(n_filters):
            w0, w1, w2, bias = weights[f, 0], weights[f, 1], weights[f, 2], biases[f]
            above = gradient[cell, f]
            d0, d1, d2, d = zero, zero, zero, zero
            for p in range(n_pooled):
                x0, x1, x2, x3 = row[2 * p], row[2 * p + 1], row[2 * p + 2], row[2 * p + 3]
                first = w0 * x0 + w1 * x1 + w2 * x2
                second = w0 * x1 + w1 * x2 + w2 * x3
                g = above[p] if max(first, second) + bias > 0 else zero
                left = first >= second
                d0 += g * (x0 if left else x1)
                d1 += g * (x1 if left else x2)
                d2 += g * (x2 if left else x3)
                d += g
            of_weights[f, 0] += d0
            of_weights[f, 1] += d1
            of_weights[f, 2] += d2
            of_biases[f] += d
    return of_weights, of_biases


@njit(nogil=True, fastmath=True, error_model="numpy")
def _moments(x: Any, weights: Any) -> Any:
    n_cells, n_channels, n_positions = x.shape
    mean, variance = np.zeros(n_channels, x.dtype), np.zeros(n_channels, x.dtype)
    for cell in range(n_cells):
        for c in range(n_channels):
            row, total = x[cell, c], x.dtype.type(0)
            for p in range(n_positions):
                total += weights[p] * row[p]
            mean[c] += total
    for cell in range(n_cells):
        for c in range(n_channels):
            row, total, middle = x[cell, c], x.dtype.type(0), mean[c]
            for p in range(n_positions):
                total += weights[p] * (row[p] - middle) * (row[p] - middle)
            variance[c] += total
    return mean, variance


@njit(nogil=True, fastmath=True, error_model="numpy")
def _apply(x: Any, mean: Any, scale: Any, shift: Any) -> Any:
    result = np.empty_like(x)
    for cell in range(x.shape[0]):
        for c in range(x.shape[1]):
            row, out, times, plus = x[cell, c], result[cell, c], scale[c], shift[c]
            middle = mean[c]
            for p in range(x.shape[2]):
                out[p] = (row[p] - middle) * times + plus
    return result


@njit(nogil=True, fastmath=True, error_model="numpy")
def _normalise_backward(
    x: Any, weights: Any, mean: Any, scale: Any, gain: Any, gradient: Any
) -> Any:
    """With z the normal values and m the weights: g − m (Σg + z Σgz), times gain and scale."""
    n_cells, n_channels, n_positions = x.shape
    of_gain, of_shift = np.zeros(n_channels, x.dtype), np.zeros(n_channels, x.dtype)
    for cell in range(n_cells):
        for c in range(n_channels):
            row, above, middle = x[cell, c], gradient[cell, c], mean[c]
            one, two = x.dtype.type(0), x.dtype.type(0)
            for p in range(n_positions):
                one += above[p]
                two += above[p] * (row[p] - middle)
            of_shift[c] += one
            of_gain[c] += two * scale[c]
    below = np.empty_like(x)
    for cell in range(n_cells):
        for c in range(n_channels):
            row, above, out, middle = x[cell, c], gradient[cell, c], below[cell, c], mean[c]
            outer, one, two = gain[c] * scale[c], of_shift[c], of_gain[c] * scale[c]
            for p in range(n_positions):
                out[p] = outer * (above[p] - weights[p] * (one + (row[p] - middle) * two))
    return below, of_gain, of_shift
