"""R's `set.seed`, `sample` and `rnorm`: draws that equal R's, so that results can equal R's.

R ≥ 3.6: a Mersenne Twister whose state a linear congruential generator fills; integers below n
drawn as random bits, again while they are not below n; normal numbers by inversion of 53 bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


def permutation(seed: int, n: int) -> NDArray[np.int64]:
    """Return what R's ``set.seed(seed); sample(n) - 1`` gives, (n,), for n below 2^31."""
    return Samples(seed).sample(n, n)


def folds(seed: int, n_cells: int, n_folds: int) -> NDArray[np.int64]:
    """Return the fold, 0 to `n_folds` − 1, that cv.glmnet puts each cell in after ``set.seed``."""
    return np.arange(n_cells)[permutation(seed, n_cells)] % n_folds


def uniforms(seed: int, n: int) -> NDArray[np.float64]:
    """Return what R's ``set.seed(seed); runif(n)`` gives, (n,)."""
    return np.asarray(_twister(seed).random_raw(n) * _TO_UNIT)


class Samples:
    """The stream that calls of ``sample.int`` draw from after ``set.seed(seed)``."""

    def __init__(self, seed: int) -> None:
        self._numbers = _random_16_bits(seed)

    def sample(self, n: int, size: int) -> NDArray[np.int64]:
        """Return what ``sample.int(n, size) - 1`` gives, (size,), for n below 2^31."""
        left = list(range(n))
        drawn = []
        for last in range(n - 1, n - 1 - size, -1):
            j = _below(self._numbers, last + 1)
            drawn.append(left[j])
            left[j] = left[last]
        return np.array(drawn, dtype=np.int64)


class Normals(np.random.RandomState):
    """The stream ``set.seed(seed); rnorm(...)`` draws from, for libraries that take a RandomState.

    Only `normal` is R's.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(0)
        self._twister = _twister(seed)

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = ()) -> Any:
        """Draw float64 of shape `size`, filled column by column as R fills a matrix."""
        from scipy.special import ndtri

        raw = self._twister.random_raw(2 * int(np.prod(size))) * _TO_UNIT
        draws = ndtri((np.floor(raw[::2] * 2**27) + raw[1::2]) / 2**27)
        return np.asarray(loc + scale * draws.reshape(size, order="F"))


_TO_UNIT = 2.3283064365386963e-10
"""1 / (2³² − 1), to the digits R has."""


def _twister(seed: int) -> np.random.MT19937:
    # The first 50 numbers stir; the next stands where R keeps the position, which starts anew.
    state = []
    for _ in range(50 + 1 + 624):
        seed = (69069 * seed + 1) % 2**32
        state.append(seed)
    key = np.array(state[51:], dtype=np.uint32)
    twister = np.random.MT19937()
    twister.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": 624}}
    return twister


def _random_16_bits(seed: int) -> Iterator[int]:
    twister = _twister(seed)
    while True:
        yield from (twister.random_raw(624) >> np.uint64(16)).tolist()


def _below(numbers: Iterator[int], n: int) -> int:
    bits = (n - 1).bit_length()
    while True:
        value = next(numbers)
        if bits >= 16:
            value = (value << 16) + next(numbers)
        value &= (1 << bits) - 1
        if value < n:
            return value
