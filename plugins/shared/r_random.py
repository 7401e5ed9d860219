"""R's `set.seed`, `sample`, `rnorm` and `rexp`: draws that equal R's, so that results can too.

R ≥ 3.6: a Mersenne Twister whose state a linear congruential generator fills; integers below n
drawn as random bits, again while they are not below n; normal numbers by inversion of 53 bits;
exponential ones by algorithm SA of Ahrens & Dieter (1972), Communications of the ACM 15:873-882.
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
    return Draws(seed).uniforms(n)


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


class Draws:
    """The one stream that `rnorm`, `rexp` and `runif` draw from after ``set.seed(seed)``."""

    def __init__(self, seed: int) -> None:
        self._twister = _twister(seed)

    def uniforms(self, n: int) -> NDArray[np.float64]:
        """Return what ``runif(n)`` gives, (n,)."""
        return np.asarray(self._twister.random_raw(n) * _TO_UNIT)

    def normals(self, n: int) -> NDArray[np.float64]:
        """Return what ``rnorm(n)`` gives, (n,)."""
        from scipy.special import ndtri

        raw = self.uniforms(2 * n)
        return np.asarray(ndtri((np.floor(raw[::2] * 2**27) + raw[1::2]) / 2**27))

    def exponentials(self, n: int) -> NDArray[np.float64]:
        """Return what ``rexp(n)`` gives, (n,)."""
        return np.array([self._exponential() for _ in range(n)])

    def _exponential(self) -> float:
        # Doublings that reach 1 count multiples of ln 2; the rest is the least of some uniforms.
        u, whole = 2 * self._uniform(), 0
        while u <= 1:
            u, whole = 2 * u, whole + 1
        u -= 1
        if u <= _LEAST_OF[0]:
            return whole * _LEAST_OF[0] + u
        least = min(self._uniform(), self._uniform())
        for share in _LEAST_OF[1:]:
            if u <= share:
                break
            least = min(least, self._uniform())
        return (whole + least) * _LEAST_OF[0]

    def _uniform(self) -> float:
        return float(self.uniforms(1)[0])


_LEAST_OF = np.cumsum(np.cumprod(np.log(2) / np.arange(1, 17))).tolist()
"""Σ (ln 2)^i / i!, i from 1: up to these shares, the least of 1, 2, … uniforms is drawn."""


class Normals(np.random.RandomState):
    """The stream ``set.seed(seed); rnorm(...)`` draws from, for libraries that take a RandomState.

    Only `normal` is R's.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(0)
        self._draws = Draws(seed)

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = ()) -> Any:
        """Draw float64 of shape `size`, filled column by column as R fills a matrix."""
        draws = self._draws.normals(int(np.prod(size)))
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
