"""CLEAR's two views of a cell: five corruptions, each done with probability ½, in this order.

1. Some genes are set to 0. 2. Noise is added to some. 3. Pairs of genes change places. 4. Some
genes change places with those of one other cell. 5. Some genes take the value of another cell, each
of its own.

The other cells are rows of a pool. Step 4 exchanges, as the program does: the pool keeps what the
view gave away, until the next epoch brings a fresh one.

Random numbers are those of splitmix64 (Steele, Lea & Flood 2014), whose state is one number.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from impbench_plugins.shared.compiled import njit
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
                for place in range(corruption.noisy):
                    x[genes[place]] += np.float32(corruption.noise_sd * _normal(state))
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


@njit(nogil=True)
def _draw(genes: Any, n: int, state: Any) -> None:
    """Put `n` genes, drawn without replacement, into the first places."""
    for place in range(n):
        chosen = place + _below(genes.size - place, state)
        genes[place], genes[chosen] = genes[chosen], genes[place]


@njit(nogil=True)
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


@njit(nogil=True)
def _uniform(state: Any) -> float:
    """Draw from [0, 1)."""
    state[0] += GOLDEN
    bits = state[0]
    bits = (bits ^ (bits >> np.uint64(30))) * FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * SECOND
    bits ^= bits >> np.uint64(31)
    return np.float64(bits >> np.uint64(11)) * 2.0**-53


@njit(nogil=True)
def _below(n: int, state: Any) -> int:
    """Draw one of 0 .. n − 1."""
    return int(_uniform(state) * n)


@njit(nogil=True)
def _normal(state: Any) -> float:
    """Draw from the standard normal distribution (Box and Muller)."""
    radius = math.sqrt(-2.0 * math.log(1.0 - _uniform(state)))
    return radius * math.cos(2.0 * math.pi * _uniform(state))
