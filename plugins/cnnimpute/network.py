"""cnnImpute's network: two convolutions over a cell's input genes, two dense layers.

The inputs that follow the last gene are zeros. All positions that see only those hold the same
numbers, so with average pooling one of them is computed and counted as often as it stands there;
results are those of the full length, up to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

KERNEL, POOL = 3, 2
NORM_EPSILON, NORM_MOMENTUM = 1e-3, 0.99
"""Keras's, for batch normalisation."""


@dataclass(frozen=True)
class Shape:
    """Sizes and kinds of layers.

    Attributes
    ----------
    input_length, n_inputs
        Length of the padded input, and how many genes stand at its beginning.
    n_targets
        Width of the output, padding included.
    filters, dense
        Widths of the convolutions and of the dense layer.
    pooling
        After the second convolution: ``average`` over all positions (the program) or ``max`` over
        pairs of them (the paper).
    output
        Activation of the last layer.
    dropout_rate
        Share of what the pooling returns that is dropped in training.
    """

    input_length: int
    n_inputs: int
    n_targets: int
    filters: int = 16
    dense: int = 1024
    pooling: Literal["average", "max"] = "average"
    output: Literal["relu", "linear"] = "relu"
    dropout_rate: float = 0.3


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
        mean, variance = self.mean, self.variance
        if self.training:
            mean = (x.mean(dim=0) * share).sum(dim=1, keepdim=True)
            variance = ((x - mean).square().mean(dim=0) * share).sum(dim=1, keepdim=True)
            with torch.no_grad():
                self.mean.lerp_(mean, 1 - NORM_MOMENTUM)
                self.variance.lerp_(variance, 1 - NORM_MOMENTUM)
        return (x - mean) * (self.gain / torch.sqrt(variance + NORM_EPSILON)) + self.shift


class CnnImputeNetwork(nn.Module):
    """Conv, ReLU, max-pool, norm; Conv, ReLU, pool, norm; dropout; Dense, ReLU; Dense.

    Weights are drawn from Glorot's uniform distribution by `generator`, which draws the dropout
    too; biases start at 0.
    """

    pooled_share: Tensor
    second_share: Tensor

    def __init__(self, shape: Shape, generator: torch.Generator) -> None:
        super().__init__()
        self.shape, self._generator = shape, generator
        positions = [shape.input_length - KERNEL + 1]
        positions.append(positions[0] // POOL)
        positions.append(positions[1] - KERNEL + 1)
        n_features = shape.filters
        if shape.pooling == "max":
            n_features *= positions[2] // POOL
        self.first = nn.Conv1d(1, shape.filters, KERNEL)
        self.first_norm = BatchNorm(shape.filters)
        self.second = nn.Conv1d(shape.filters, shape.filters, KERNEL)
        self.second_norm = BatchNorm(shape.filters)
        self.dense = nn.Linear(n_features, shape.dense)
        self.last = nn.Linear(shape.dense, shape.n_targets)
        for name, weights in self.named_parameters():
            if name.endswith(".weight"):
                nn.init.xavier_uniform_(weights, generator=generator)
            elif name.endswith(".bias"):
                nn.init.zeros_(weights)
        # The first pooled position that sees no gene, and as much input as the three from there on
        # need, so that the last of the second convolution sees none either.
        silent = -(-shape.n_inputs // POOL)
        needed = POOL * (silent + KERNEL) + KERNEL - 1
        self.used_length = shape.input_length
        if shape.pooling == "average" and needed < shape.input_length:
            self.used_length = needed
        pooled = (self.used_length - KERNEL + 1) // POOL
        self.register_buffer("pooled_share", _shares(pooled, positions[1]))
        self.register_buffer("second_share", _shares(pooled - KERNEL + 1, positions[2]))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return predictions, (cells, n_targets), for (cells, input_length)."""
        x = inputs[:, None, : self.used_length]
        x = functional.max_pool1d(functional.relu(self.first(x)), POOL)
        x = functional.relu(self.second(self.first_norm(x, self.pooled_share)))
        if self.shape.pooling == "average":
            x = (x * self.second_share).sum(dim=2, keepdim=True)
        else:
            x = functional.max_pool1d(x, POOL)
        x = self.second_norm(x, torch.full((x.shape[2],), 1 / x.shape[2], dtype=x.dtype))
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


def _shares(computed: int, positions: int) -> Tensor:
    """Return the share of each computed position, the last standing for all that follow."""
    counts = torch.ones(computed)
    counts[-1] = positions - computed + 1
    return counts / positions
