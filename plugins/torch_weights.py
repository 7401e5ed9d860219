"""How PyTorch starts its linear layers, drawn from a generator instead of the global state."""

from __future__ import annotations

import torch
from torch import nn


def draw_weights(network: nn.Module, generator: torch.Generator) -> None:
    """Draw weights and biases of every linear layer from U(−1/√fan_in, 1/√fan_in), in place."""
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Linear):
                bound = layer.in_features**-0.5
                layer.weight.uniform_(-bound, bound, generator=generator)
                if layer.bias is not None:
                    layer.bias.uniform_(-bound, bound, generator=generator)
