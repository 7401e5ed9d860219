"""CLEAR's two views of a cell: five corruptions, each done with probability ½, in this order.

1. Some genes are set to 0. 2. Noise is added to some. 3. Pairs of genes change places. 4. Some
genes change places with those of one other cell. 5. Some genes take the value of another cell, each
of its own.

The other cells are rows of a pool. Step 4 exchanges, as the program does: the pool keeps what the
view gave away, until the next epoch brings a fresh one.

Random numbers are those of splitmix64 (Steele, Lea & Flood 2014), whose state is one number.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from impbench_plugins.shared.compiled import njit, njit_unkept
from numpy.typing import NDArray

GOLDEN, FIRST, SECOND = (
    np.uint64(constant) for constant in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)


class ViewCorruption(NamedTuple):
    """Chance of each step, numbers of genes (or pairs) that it takes, and the noise's sd."""

    chance: float
    masked: int
    noisy: int
    noise_sd: float
    pairs: int
    crossed: int
    mutated: int


@njit(nogil=True)
def draw_views(
    values: Any, cells: Any, pool: Any, corruption: ViewCorruption, state: Any
) -> NDArray[np.float32]:
    """Return two views of some cells, (2, cells, genes) float32.

    Parameters
    ----------
    values
        (all cells, genes) float32.
    cells
        (cells,) int64, of which views are drawn.
    pool
        As `values`, changed in place by step 4.
    state
        (1,) uint64, of the random numbers; moved on.
    """
    n_cells, n_genes = values.shape
    views = np.empty((2, cells.size, n_genes), np.float32)
    # Any permutation will do to begin with; the first places of it are drawn anew every time.
    genes = np.arange(n_genes)
    for row in range(cells.size):
        for view in range(2):
            x = views[view, row]
            x[:] = values[cells[row]]
            if _uniform(state) < corruption.chance:
                _draw(genes, corruption.masked, state)
                for place in range(corruption.masked):
                    x[genes[place]] = 0.0
            if _uniform(state) < corruption.chance:
                _draw(genes, corruption.noisy, state)
                noise = _normals(corruption.noisy, state)
                for place in range(corruption.noisy):
                    x[genes[place]] += np.float32(corruption.noise_sd) * noise[place]
            if _uniform(state) < corruption.chance:
                _swap(x, corruption.pairs, state)
            if _uniform(state) < corruption.chance:
                _draw(genes, corruption.crossed, state)
                other = pool[_below(n_cells, state)]
                for place in range(corruption.crossed):
                    gene = genes[place]
                    x[gene], other[gene] = other[gene], x[gene]
            if _uniform(state) < corruption.chance:
                _draw(genes, corruption.mutated, state)
                for place in range(corruption.mutated):
                    gene = genes[place]
                    x[gene] = pool[_below(n_cells, state), gene]
    return views


@njit_unkept(nogil=True)
def _draw(genes: Any, n: int, state: Any) -> None:
    """Put `n` genes, drawn without replacement, into the first places."""
    for place in range(n):
        chosen = place + _below(genes.size - place, state)
        genes[place], genes[chosen] = genes[chosen], genes[place]


@njit_unkept(nogil=True)
def _swap(x: Any, n: int, state: Any) -> None:
    """Let `n` pairs of genes change places, all read before any is written; a gene may recur."""
    first, second = np.empty(n, np.int64), np.empty(n, np.int64)
    held = np.empty((2, n), x.dtype)
    for pair in range(n):
        first[pair], second[pair] = _below(x.size, state), _below(x.size, state)
        held[0, pair], held[1, pair] = x[first[pair]], x[second[pair]]
    for pair in range(n):
        x[first[pair]] = held[1, pair]
    for pair in range(n):
        x[second[pair]] = held[0, pair]


@njit_unkept(nogil=True)
def _uniform(state: Any) -> float:
    """Draw from [0, 1)."""
    state[0] += GOLDEN
    bits = state[0]
    bits = (bits ^ (bits >> np.uint64(30))) * FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * SECOND
    bits ^= bits >> np.uint64(31)
    return np.float64(bits >> np.uint64(11)) * 2.0**-53


@njit_unkept(nogil=True)
def _below(n: int, state: Any) -> int:
    """Draw one of 0 .. n − 1."""
    return int(_uniform(state) * n)


@njit_unkept(nogil=True)
def _normals(n: int, state: Any) -> NDArray[np.float32]:
    """Draw from the standard normal distribution (Box and Muller), to single precision."""
    radius, turn = np.empty(n, np.float32), np.empty(n, np.float32)
    for k in range(n):
        radius[k], turn[k] = 1.0 - _uniform(state), _uniform(state)
    # Polynomials instead of the library's functions: a loop takes several side by side.
    for k in range(n):
        radius[k] = np.sqrt(np.float32(-2) * _logarithm(radius[k])) * _cosine(turn[k])
    return radius


@njit_unkept(nogil=True)
def _logarithm(x: Any) -> Any:
    """Return ln x in single precision, for x of 2⁻⁵³ to 1 (Cephes library, Moshier 1992)."""
    bits = np.float32(x).view(np.int32)
    exponent = np.float32(np.int32(bits >> 23) - 127)
    f = np.int32((bits & 0x7FFFFF) | 0x3F800000).view(np.float32)
    if f > np.float32(1.41421356):
        f, exponent = f * np.float32(0.5), exponent + np.float32(1)
    f -= np.float32(1)
    y = np.float32(7.0376836292e-2)
    y = y * f - np.float32(1.1514610310e-1)
    y = y * f + np.float32(1.1676998740e-1)
    y = y * f - np.float32(1.2420140846e-1)
    y = y * f + np.float32(1.4249322787e-1)
    y = y * f - np.float32(1.6668057665e-1)
    y = y * f + np.float32(2.0000714765e-1)
    y = y * f - np.float32(2.4999993993e-1)
    y = y * f + np.float32(3.3333331174e-1)
    y = (y * f - np.float32(0.5)) * (f * f)
    return f + y + exponent * np.float32(0.69314718)


@njit_unkept(nogil=True)
def _cosine(turn: Any) -> Any:
    """Return cos 2πx in single precision, for x of 0 to 1: the series of the sine of π/2 − 2πx."""
    y = np.float32(6.2831853) * (np.abs(turn - np.float32(0.5)) - np.float32(0.25))
    z = y * y
    p = np.float32(-2.5052108e-8)
    p = p * z + np.float32(2.7557319e-6)
    p = p * z - np.float32(1.9841270e-4)
    p = p * z + np.float32(8.3333333e-3)
    p = p * z - np.float32(1.6666667e-1)
    return y + y * z * p
