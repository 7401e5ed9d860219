"""R's random numbers in parallel work: streams of L'Ecuyer's generator, and `sample.int` of them.

L'Ecuyer (1999), Good parameters and implementations for combined multiple recursive random number
generators, Operations Research 47:159-164 (MRG32k3a). L'Ecuyer et al. (2002), An object-oriented
random-number package with many long streams and substreams, Operations Research 50:1073-1075: a
stream begins 2^127 numbers after the one before, a substream 2^76 numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from impbench_plugins.shared.compiled import njit, njit_unkept
from numpy.typing import NDArray

Labels = NDArray[np.int64]

MODULI = (4294967087, 4294944443)
STEPS = (
    ((0, 1, 0), (0, 0, 1), (-810728, 1403580, 0)),
    ((0, 1, 0), (0, 0, 1), (-1370589, 0, 527612)),
)
"""One step of either recursion: the three numbers it remembers, times this matrix."""


@dataclass(frozen=True)
class Stream:
    """A place in the generator's sequence: the six numbers of R's `.Random.seed[2:7]`."""

    state: tuple[int, ...]

    def after(self, n_numbers: int) -> Stream:
        """Return the place `n_numbers` later (modulo the length of the sequence)."""
        state: list[int] = []
        for start, step, modulus in zip((0, 3), STEPS, MODULI, strict=True):
            jump = _power(step, n_numbers, modulus)
            now = self.state[start : start + 3]
            state += [sum(a * b for a, b in zip(row, now, strict=True)) % modulus for row in jump]
        return Stream(tuple(state))

    def substream(self, number: int) -> Stream:
        """Return what R's `parallel::nextRNGSubStream` gives, called `number` times."""
        return self.after(number * 2**76)

    def stream(self, number: int) -> Stream:
        """Return what R's `parallel::nextRNGStream` gives, called `number` times."""
        return self.after(number * 2**127)

    def samples(self, n: int, size: int, times: int) -> Labels:
        """Return what ``sample.int(n, size) - 1`` gives when called `times` times in a row.

        Returns
        -------
        (times, size) int64, different numbers below `n` in each row; `n` is below 2^31.
        """
        return _samples(np.array(self.state, dtype=np.int64), n, size, times)


def biocparallel_stream() -> Stream:
    """Return where BiocParallel's own stream stands in a new session of R.

    It is fixed when the package is built, so `set.seed` does not reach it. This one is that of
    BiocParallel 1.32.5 as Debian 12 packages it, seen in `.Random.seed` by what `bplapply` runs.
    """
    return Stream((3832516505, 658096774, 447189839, 1845164356, 3387297653, 1803047346))


Matrix = tuple[tuple[int, ...], ...]


def _power(matrix: Matrix, exponent: int, modulus: int) -> Matrix:
    result: Matrix = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    while exponent:
        if exponent % 2:
            result = _product(result, matrix, modulus)
        matrix = _product(matrix, matrix, modulus)
        exponent //= 2
    return result


def _product(a: Matrix, b: Matrix, modulus: int) -> Matrix:
    columns = tuple(zip(*b, strict=True))
    return tuple(
        tuple(sum(x * y for x, y in zip(row, column, strict=True)) % modulus for column in columns)
        for row in a
    )


@njit(nogil=True)
def _samples(state: Labels, n: int, size: int, times: int) -> Labels:
    """Fisher-Yates from the front, each place drawn as random bits until they are below n."""
    drawn = np.empty((times, size), np.int64)
    numbers = np.arange(n)
    for row in range(times):
        left = n
        for place in range(size):
            j = _below(state, left)
            drawn[row, place] = numbers[j]
            left -= 1
            numbers[j] = numbers[left]
        # A place that was filled anew had its own number drawn before.
        for place in range(size):
            numbers[drawn[row, place]] = drawn[row, place]
    return drawn


@njit_unkept(nogil=True)
def _below(state: Labels, n: int) -> int:
    bits = 0
    while (1 << bits) < n:
        bits += 1
    while True:
        value = 0
        for _ in range(bits // 16 + 1):
            value = value * 65536 + int(_uniform(state) * 65536)
        value &= (1 << bits) - 1
        if value < n:
            return value


@njit_unkept(nogil=True)
def _uniform(state: Labels) -> float:
    """Draw a number between 0 and 1, and step `state`, (6,)."""
    first = (1403580 * state[1] - 810728 * state[0]) % 4294967087
    state[0], state[1], state[2] = state[1], state[2], first
    second = (527612 * state[5] - 1370589 * state[3]) % 4294944443
    state[3], state[4], state[5] = state[4], state[5], second
    difference = first - second if first > second else first - second + 4294967087
    return difference * 2.328306549295727688e-10
