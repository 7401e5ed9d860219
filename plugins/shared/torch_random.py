"""PyTorch's random numbers on a CPU, without PyTorch: what a seed gives there, it gives here.

A Mersenne Twister (Matsumoto and Nishimura 1998) of 32-bit words, seeded by its authors'
recurrence; single precision takes 24 bits of one word, double precision 53 bits of two.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from impbench_plugins.shared.compiled import njit, njit_unkept
from impbench_plugins.shared.flat_weights import Float32
from numpy.typing import NDArray

_WORDS, _AHEAD = 624, 397
_UPPER, _LOWER = np.uint32(0x80000000), np.uint32(0x7FFFFFFF)
_MATRIX = np.uint32(0x9908B0DF)


class TorchRandom:
    """The stream of ``torch.Generator().manual_seed(seed)``."""

    def __init__(self, seed: int) -> None:
        twister = np.random.MT19937()
        twister._legacy_seeding(seed % 2**32)  # type: ignore[attr-defined]
        state = twister.state["state"]
        self._words = np.array(state["key"], dtype=np.uint32)
        self._place = np.array([state["pos"]])

    def uniform(self, shape: tuple[int, ...], bound: float) -> Float32:
        """Return what ``torch.empty(shape).uniform_(-bound, bound)`` gives."""
        words = np.empty(math.prod(shape), np.uint32)
        _fill(self._words, self._place, words)
        low, high = np.float32(-bound), np.float32(bound)
        share = (words & np.uint32(2**24 - 1)) * 2.0**-24
        return (share * np.float64(high - low) + low).astype(np.float32).reshape(shape)

    def successes(
        self, n_rows: int, n_columns: int, chance: float
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return where ``torch.empty(n_rows, n_columns).bernoulli_(chance)`` has a 1.

        Returns
        -------
        starts, columns
            As in a sparse matrix of compressed rows: (n_rows + 1,), and the columns row by row.
        """
        starts = np.empty(n_rows + 1, np.int32)
        columns = np.empty(n_rows * n_columns + 1, np.int32)
        # A number is below `chance` where its 53 bits are below this.
        limit = math.ceil(chance * 2**53)
        _find(self._words, self._place, n_columns, np.int64(limit), starts, columns)
        return starts, columns[: starts[-1]]


@njit(nogil=True)
def _fill(state: Any, place: Any, out: Any) -> None:
    """Write the next words of the stream to `out`."""
    _next_words(state, place, out)


@njit(nogil=True)
def _find(state: Any, place: Any, n_columns: int, limit: int, starts: Any, columns: Any) -> None:
    """Draw a row of numbers at a time, and keep the places of those below `limit`."""
    words = np.empty(2 * n_columns, np.uint32)
    n = 0
    starts[0] = 0
    for row in range(starts.size - 1):
        _next_words(state, place, words)
        for column in range(n_columns):
            upper = np.int64(words[2 * column] & np.uint32(0x1FFFFF)) << 32
            # Written ahead of knowing whether it stays: no branch to be guessed wrongly.
            columns[n] = column
            n += (upper | np.int64(words[2 * column + 1])) < limit
        starts[row + 1] = n


@njit_unkept(nogil=True)
def _next_words(state: Any, place: Any, out: Any) -> None:
    done = 0
    while done < out.size:
        if place[0] == _WORDS:
            _twist(state)
            place[0] = 0
        n = min(_WORDS - place[0], out.size - done)
        source, target = state[place[0] : place[0] + n], out[done : done + n]
        for i in range(n):
            y = source[i]
            y ^= y >> np.uint32(11)
            y ^= (y << np.uint32(7)) & np.uint32(0x9D2C5680)
            y ^= (y << np.uint32(15)) & np.uint32(0xEFC60000)
            target[i] = y ^ (y >> np.uint32(18))
        place[0] += n
        done += n


@njit_unkept(nogil=True)
def _twist(state: Any) -> None:
    """Make the next 624 words of state of the last ones, in place."""
    for i in range(np.uint64(_WORDS - _AHEAD)):
        state[i] = state[i + np.uint64(_AHEAD)] ^ _mixed(state[i], state[i + np.uint64(1)])
    for i in range(np.uint64(_WORDS - _AHEAD), np.uint64(_WORDS - 1)):
        state[i] = state[i - np.uint64(_WORDS - _AHEAD)] ^ _mixed(state[i], state[i + np.uint64(1)])
    state[_WORDS - 1] = state[_AHEAD - 1] ^ _mixed(state[_WORDS - 1], state[0])


@njit_unkept(nogil=True)
def _mixed(here: Any, following: Any) -> Any:
    y = (here & _UPPER) | (following & _LOWER)
    return (y >> np.uint32(1)) ^ ((y & np.uint32(1)) * _MATRIX)
