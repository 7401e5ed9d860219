"""Where CLEAR's training starts, and its optimiser's constants."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from .network import ClearWeights

WEIGHT_DECAY, SGD_MOMENTUM = 1e-6, 0.9


@dataclass(frozen=True)
class Start:
    """First weights of both encoders, and the keys of a queue, (coordinates, length)."""

    weights: ClearWeights
    queue: Tensor

    @classmethod
    def draw(cls, widths: tuple[int, int, int], length: int, generator: torch.Generator) -> Start:
        """Draw in the program's order, so that a seed starts where it starts there.

        Parameters
        ----------
        widths
            Genes, hidden units and coordinates.
        length
            Keys in the queue.
        """
        weights = ClearWeights.draw(widths, generator)
        # The program draws the key's weights as well, and then copies the query's into them.
        ClearWeights.draw(widths, generator)
        queue = torch.randn(widths[-1], length, generator=generator)
        return cls(weights, functional.normalize(queue, dim=0))
