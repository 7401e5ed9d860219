"""CLEAR's encoders and its loss (Han et al. 2022; momentum contrast).

    e(x) = ReLU(ReLU(x W₁ + b₁) W₂ + b₂),  z = e / ‖e‖           not negative, of length 1
    q = z of one view by the query's weights, k of the other by the key's
    loss = mean of −ln( e^{q·k/T} / (e^{q·k/T} + Σ_j e^{q·u_j/T}) )   u_j the keys of the queue

The key's weights get no gradient: they follow the query's, key ← m key + (1 − m) query.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class EncoderWeights:
    """W₁ and W₂ as PyTorch has them, (outputs, inputs), and their biases."""

    first: Tensor
    first_bias: Tensor
    second: Tensor
    second_bias: Tensor

    @classmethod
    def draw(cls, widths: tuple[int, int, int], generator: torch.Generator) -> EncoderWeights:
        """Draw as PyTorch starts linear layers, each layer's weights ahead of its bias."""
        drawn = []
        for n_inputs, n_outputs in ((widths[0], widths[1]), (widths[1], widths[2])):
            for shape in ((n_outputs, n_inputs), (n_outputs,)):
                bound = n_inputs**-0.5
                drawn.append(torch.empty(shape).uniform_(-bound, bound, generator=generator))
        return cls(*drawn)

    def to(self, device: str) -> EncoderWeights:
        """Return the weights on a device, in tensors of their own."""
        return EncoderWeights(*(weights.clone().to(device) for weights in self.all()))

    def all(self) -> list[Tensor]:
        """Return all four."""
        return [self.first, self.first_bias, self.second, self.second_bias]

    def follow(self, other: EncoderWeights, momentum: float) -> None:
        """Become m · own + (1 − m) · other, in place."""
        for own, theirs in zip(self.all(), other.all(), strict=True):
            own.lerp_(theirs.detach(), 1 - momentum)


def encode(x: Tensor, weights: EncoderWeights) -> Tensor:
    """Return z, (cells, coordinates)."""
    hidden = functional.relu(functional.linear(x, weights.first, weights.first_bias))
    outputs = functional.relu(functional.linear(hidden, weights.second, weights.second_bias))
    return functional.normalize(outputs, dim=1)


def contrast(query: Tensor, key: Tensor, queue: Tensor, temperature: float) -> Tensor:
    """Return the loss: each cell's own key told from those of the queue.

    Parameters
    ----------
    query, key
        (cells, coordinates), of the two views.
    queue
        (coordinates, length).
    temperature
        T.
    """
    own = (query * key).sum(dim=1, keepdim=True)
    logits = torch.cat([own, query @ queue], dim=1) / temperature
    first = torch.zeros(len(query), dtype=torch.long, device=query.device)
    return functional.cross_entropy(logits, first)
