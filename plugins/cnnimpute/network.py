"""cnnImpute's network: two convolutions over a cell's input genes, two dense layers.

The inputs that follow the last gene are zeros. All positions that see only those hold the same
numbers, so with average pooling one of them is computed and counted as often as it stands there;
results are those of the full length, up to rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from .compiled_layers import convolve_and_pool, normalise

KERNEL, POOL = 3, 2
SHORTEST_INPUT = 10
"""What two convolutions and two poolings need."""
CUT_DEVIATION = 0.87962566103423978
"""Standard deviation of a standard normal number cut off at −2 and 2."""
NORM_EPSILON, NORM_MOMENTUM = 1e-3, 0.99
"""Keras's, for batch normalisation."""


@dataclass(frozen=True)
class Shape:
    """Sizes and kinds of layers.

    Attributes
    ----------
    block_size, n_correlated
        Width of the output, padding included, and how many inputs each target names.
    pooling
        After the second convolution: ``average`` over all positions (the program) or ``max`` over
        pairs of them (the paper).
    output
        Activation of the last layer.
    dropout_rate
        Share of what the pooling returns that is dropped in training.
    filters, dense
        Widths of the convolutions and of the dense layer.
    """

    block_size: int
    n_correlated: int
    pooling: Literal["average", "max"] = "average"
    output: Literal["relu", "linear"] = "relu"
    dropout_rate: float = 0.3
    filters: int = 16
    dense: int = 1024

    @property
    def input_length(self) -> int:
        """Length of the padded input: that of a full block, or what two poolings need."""
        return max(self.block_size * self.n_correlated, SHORTEST_INPUT)

    @property
    def positions(self) -> tuple[int, int]:
        """Positions after the first pooling and after the second convolution."""
        pooled = (self.input_length - KERNEL + 1) // POOL
        return pooled, pooled - KERNEL + 1

    def used_length(self, n_inputs: int) -> int:
        """Return how much of the padded input must be computed.

        The first pooled position that sees no gene, and as much input as the three from there on
        need, so that the last of the second convolution sees none either.
        """
        if self.pooling == "max":
            return self.input_length
        return min(self.input_length, POOL * (-(-n_inputs // POOL) + KERNEL) + KERNEL - 1)


class BatchNorm(nn.Module):
    """Normalise channels over cells and positions as Keras does, positions counted by weight."""

    mean: Tensor
    variance: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels, 1))
        self.shift = nn.Parameter(torch.zeros(channels, 1))
        self.register_buffer("mean", torch.zeros(channels, 1))
        self.register_buffer("variance", torch.ones(channels, 1))

    def forward(self, x: Tensor, share: Tensor) -> Tensor:
        """Return normalised `x`, (cells, channels, positions); `share` of each position adds to 1.

        In training by the mini-batch, whose moments move the running ones; else by the latter.
        """
        if not self.training:
            scale = self.gain / torch.sqrt(self.variance + NORM_EPSILON)
            return (x - self.mean) * scale + self.shift
        result, mean, variance = normalise(x, share, self.gain, self.shift, NORM_EPSILON)
        with torch.no_grad():
            self.mean.lerp_(mean, 1 - NORM_MOMENTUM)
            self.variance.lerp_(variance, 1 - NORM_MOMENTUM)
        return result


class CnnImputeNetwork(nn.Module):
    """Conv, ReLU, max-pool, norm; Conv, ReLU, pool, norm; dropout; Dense, ReLU; Dense.

    Weights are drawn by `generator`, which draws the dropout too: those of the convolutions from
    Glorot's uniform distribution, those of the dense layers from his normal one. Biases start at 0.
    """

    def __init__(self, shape: Shape, generator: torch.Generator) -> None:
        super().__init__()
        self.shape, self._generator = shape, generator
        n_features = shape.filters
        if shape.pooling == "max":
            n_features *= shape.positions[1] // POOL
        self.first = nn.Conv1d(1, shape.filters, KERNEL)
        self.first_norm = BatchNorm(shape.filters)
        self.second = nn.Conv1d(shape.filters, shape.filters, KERNEL)
        self.second_norm = BatchNorm(shape.filters)
        self.dense = nn.Linear(n_features, shape.dense)
        self.last = nn.Linear(shape.dense, shape.block_size)
        for layer in (self.first, self.second):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            nn.init.zeros_(layer.bias)
        for layer in (self.dense, self.last):
            draw_glorot_normal(layer.weight, generator)
            nn.init.zeros_(layer.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return predictions, (cells, block_size).

        Parameters
        ----------
        inputs
            (cells, length), as much of the padded input as `Shape.used_length` says, or more.
        """
        pooled, positions = self.shape.positions
        x = convolve_and_pool(inputs, self.first.weight, self.first.bias)
        x = self.first_norm(x, _shares(x.shape[2], pooled, x.dtype))
        x = functional.relu(self.second(x))
        if self.shape.pooling == "average":
            x = (x * _shares(x.shape[2], positions, x.dtype)).sum(dim=2, keepdim=True)
        else:
            x = functional.max_pool1d(x, POOL)
        x = self.second_norm(x, _shares(x.shape[2], x.shape[2], x.dtype))
        x = self.last(functional.relu(self.dense(self._dropout(x.flatten(1)))))
        return functional.relu(x) if self.shape.output == "relu" else x

    def _dropout(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        kept = torch.rand(x.shape, generator=self._generator) >= self.shape.dropout_rate
        return x * kept / (1 - self.shape.dropout_rate)


def masked_loss(predicted: Tensor, targets: Tensor) -> Tensor:
    """Return the mean squared error over targets that are not masked, that is, not negative."""
    known = targets >= 0
    squares = torch.where(known, predicted - targets, 0).square()
    return squares.sum() / known.sum().clamp(min=1)


def draw_glorot_normal(weights: Tensor, generator: torch.Generator) -> None:
    """Draw as Keras's Glorot normal does: cut off at two deviations, widened to make up for it."""
    deviation = math.sqrt(2 / sum(weights.shape)) / CUT_DEVIATION
    nn.init.trunc_normal_(
        weights, std=deviation, a=-2 * deviation, b=2 * deviation, generator=generator
    )


@cache
def _shares(computed: int, positions: int, dtype: torch.dtype) -> Tensor:
    """Return the share of each computed position, the last standing for all that follow."""
    counts = torch.ones(computed, dtype=torch.float64)
    counts[-1] = positions - computed + 1
    return (counts / positions).to(dtype)
