"""Weights of a network in one buffer, so that an optimiser is one loop over it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


def flat_zeros(shapes: Sequence[tuple[int, ...]]) -> tuple[Float32, list[Float32]]:
    """Allocate one buffer of zeros; return it and its parts, views of these shapes in order."""
    ends = np.cumsum([np.prod(shape) for shape in shapes])
    flat = np.zeros(ends[-1], dtype=np.float32)
    parts = np.split(flat, ends[:-1])
    return flat, [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def draw_glorot(matrices: Iterable[Float32], rng: np.random.Generator) -> None:
    """Draw each layer's weights, (inputs, outputs), from Glorot's uniform distribution, in place.

    Its bound is √(6 / (inputs + outputs)).
    """
    for weights in matrices:
        bound = np.sqrt(6 / sum(weights.shape))
        weights[:] = rng.uniform(-bound, bound, weights.shape)
