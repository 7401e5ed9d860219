"""Weights of a network in one buffer, so that an optimiser is one loop over it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


PAGE = 4096
"""Bytes; at this distance a processor at first takes two addresses for the same."""


def flat_zeros(
    shapes: Sequence[tuple[int, ...]], quarter: int = 0
) -> tuple[Float32, list[Float32]]:
    """Allocate one buffer of zeros; return it and its parts, views of these shapes in order.

    Parameters
    ----------
    quarter
        As in `zeros_at`.
    """
    ends = np.cumsum([np.prod(shape) for shape in shapes])
    flat = zeros_at(ends[-1], quarter)
    parts = np.split(flat, ends[:-1])
    return flat, [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def averages_of(weights: Float32) -> tuple[Float32, Float32]:
    """Allocate an optimiser's two running averages of flat weights, beside quarters 0 and 1."""
    return zeros_at(weights.size, 2), zeros_at(weights.size, 3)


def zeros_at(size: int, quarter: int) -> Float32:
    """Allocate zeros, (size,), that start in this quarter of a page of memory.

    An optimiser goes through weights, gradients and averages side by side. NumPy starts large
    arrays all at the same place of a page, and in the middle of a cache line: a step then takes
    three times as long, as each read waits for a write that seems to be to the same address.
    """
    buffer = np.zeros(size + PAGE // 2, np.float32)
    first = (quarter * PAGE // 4 - buffer.ctypes.data) % PAGE // buffer.itemsize
    return buffer[first : first + size]


def draw_glorot(matrices: Iterable[Float32], rng: np.random.Generator) -> None:
    """Draw each layer's weights, (inputs, outputs), from Glorot's uniform distribution, in place.

    Its bound is √(6 / (inputs + outputs)).
    """
    for weights in matrices:
        bound = np.sqrt(6 / sum(weights.shape))
        weights[:] = rng.uniform(-bound, bound, weights.shape)
