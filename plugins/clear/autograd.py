"""CLEAR's steps in PyTorch, which finds the gradient: on a GPU, and what `by_hand` is held to."""

from __future__ import annotations

import numpy as np
import torch
from impbench_plugins.shared.flat_weights import Float32
from torch import Tensor

from .network import contrast, encode
from .start import SGD_MOMENTUM, WEIGHT_DECAY, Start


class AutogradSteps:
    """Both encoders, the queue and the optimiser.

    Parameters
    ----------
    start
        First weights and keys.
    temperature, momentum
        T, and the share of its own weights that the key's encoder keeps.
    device
        ``"cpu"`` or one of CUDA.
    """

    def __init__(self, start: Start, temperature: float, momentum: float, device: str) -> None:
        self._query, self._key = start.weights.to(device), start.weights.to(device)
        self._queue, self._oldest = start.queue.clone().to(device), 0
        self._temperature, self._momentum, self._device = temperature, momentum, device
        trained = [weights.requires_grad_() for weights in self._query.all()]
        self._optimizer = torch.optim.SGD(
            trained, lr=0, momentum=SGD_MOMENTUM, weight_decay=WEIGHT_DECAY
        )

    def descend(self, views: Float32, rate: float) -> float:
        """Take one step on both views of a mini-batch, (2, cells, genes); return its loss."""
        self._optimizer.param_groups[0]["lr"] = rate
        seen, other = self._sent(views)
        with torch.no_grad():
            self._key.follow(self._query, self._momentum)
            keys = encode(other, self._key)
        loss = contrast(encode(seen, self._query), keys, self._queue, self._temperature)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._queue[:, self._oldest : self._oldest + len(keys)] = keys.T
        self._oldest = (self._oldest + len(keys)) % self._queue.shape[1]
        return float(loss.detach())

    def encode(self, cells: Float32) -> Float32:
        """Return the coordinates of cells, (cells, genes), by the key's weights."""
        with torch.no_grad():
            return np.asarray(encode(self._sent(cells), self._key).cpu().numpy())

    def _sent(self, values: Float32) -> Tensor:
        return torch.from_numpy(values).to(self._device)
