"""The fast engine's weights: drawn as PyTorch draws them, without PyTorch.

They lie in one buffer, so that Adam is one loop, and stand the way sums of rows need them: one row
per input for the first three layers (PyTorch's transposed), one row per output for the last.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from impbench_plugins.shared.torch_random import TorchRandom
from numpy.typing import NDArray

from .rows import LANES, aligned_zeros

Float32 = NDArray[np.float32]


class Weights(NamedTuple):
    """Weights w, biases b, LayerNorm gains g and shifts c; or the gradients of them all.

    Shapes are (genes, hidden) for `w1` and `w4`, (hidden, bottleneck) for `w2`, (bottleneck,
    hidden) for `w3`; hidden and bottleneck are padded to a multiple of `LANES` by zeros. `flat`
    holds all.
    """

    flat: Float32
    w1: Float32
    w2: Float32
    w3: Float32
    w4: Float32
    b1: Float32
    b2: Float32
    b3: Float32
    b4: Float32
    g1: Float32
    g2: Float32
    g3: Float32
    c1: Float32
    c2: Float32
    c3: Float32

    @classmethod
    def zeros(cls, n_genes: int, hidden: int, bottleneck: int) -> Weights:
        """Allocate; hidden and bottleneck before padding."""
        h, d = (-(-width // LANES) * LANES for width in (hidden, bottleneck))
        matrices, vectors = [(n_genes, h), (h, d), (d, h), (n_genes, h)], [(h,), (d,), (h,)]
        # b4, whose length is any, stands last in the buffer: all others begin a cache line.
        shapes = [*matrices, *vectors * 3, (n_genes,)]
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
        flat = aligned_zeros(int(ends[-1]))
        parts = [
            part.reshape(shape)
            for part, shape in zip(np.split(flat, ends[:-1]), shapes, strict=True)
        ]
        return cls(flat, *parts[:7], parts[-1], *parts[7:-1])

    @classmethod
    def initial(cls, n_genes: int, hidden: int, bottleneck: int, seed: int) -> Weights:
        """Draw what `MaskClassNetwork.initial` draws by `seed`: U(−1/√fan_in, 1/√fan_in)."""
        weights, random = cls.zeros(n_genes, hidden, bottleneck), TorchRandom(seed)
        widths = (n_genes, hidden, bottleneck, hidden, n_genes)
        matrices = (weights.w1.T, weights.w2.T, weights.w3.T, weights.w4)
        biases = (weights.b1, weights.b2, weights.b3, weights.b4)
        for matrix, bias, (n_in, n_out) in zip(matrices, biases, pairwise(widths), strict=True):
            matrix[:n_out, :n_in] = random.uniform((n_out, n_in), n_in**-0.5)
            bias[:n_out] = random.uniform((n_out,), n_in**-0.5)
        for gain, width in zip((weights.g1, weights.g2, weights.g3), widths[1:], strict=False):
            gain[:width] = 1
        return weights
