"""t-SNE as R's Rtsne does it, from the same random first coordinates.

van der Maaten (2014), Accelerating t-SNE using tree-based algorithms, JMLR 15:3221. Where it ends
depends on the last bit of where it starts (a difference of 1e-15 is one of 1 after 50 rounds of
200 cells), so what libraries compute is rounded before: the result does not depend on them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from impbench_plugins.shared.compiled import njit
from impbench_plugins.shared.r_random import uniforms
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.spatial.distance import cdist

from .barnes_hut import N_DIMENSIONS, ROUNDS, descend

Floats = NDArray[np.float64]

N_COMPONENTS = 50
NEIGHBOURS_PER_PERPLEXITY = 3
FIRST_SPREAD = 1e-4
TOLERANCE, MOST_HALVINGS = 1e-5, 200
COMPONENT_DIGITS, DIGITS = 8, 10
"""Decimals kept of components, and of similarities and first coordinates."""
_CELLS_PER_BLOCK = 512


def embed(values: NDArray[Any], perplexity: float, seed: int, rounds: int = ROUNDS) -> Floats:
    """Return t-SNE coordinates of the leading 50 principal components, (cells, 3).

    Parameters
    ----------
    values
        (cells, genes); more than three times as many cells as the perplexity.
    perplexity
        Effective number of neighbours.
    seed
        Of R's random numbers.
    """
    components = principal_components(np.asarray(values, dtype=np.float64))
    p = similarities(components, perplexity)
    coordinates = first_coordinates(len(values), seed)
    descend(p.indptr, p.indices, p.data, coordinates, rounds)
    return coordinates


def first_coordinates(n_cells: int, seed: int) -> Floats:
    """Return what Rtsne starts from after ``set.seed(seed)``, (cells, 3).

    The search for neighbours draws before, once for each branch of its tree. Normal numbers are
    by Marsaglia's polar method, the second of each pair unused.
    """
    needed = N_DIMENSIONS * n_cells
    before = _branches(n_cells)
    draws = uniforms(seed, before + 4 * needed + 200)[before:]
    x, y = 2 * draws[: len(draws) // 2 * 2].reshape(-1, 2).T - 1
    square = x * x + y * y
    inside = (square < 1) & (square > 0)
    normal = (x[inside] * np.sqrt(-2 * np.log(square[inside]) / square[inside]))[:needed]
    return np.asarray(np.round(normal, DIGITS).reshape(n_cells, N_DIMENSIONS) * FIRST_SPREAD)


def _branches(n: int) -> int:
    """Return how many branches a tree has that takes one point out and halves the others."""
    return 0 if n < 2 else 1 + _branches(n // 2 - 1) + _branches(n - n // 2)


def principal_components(values: Floats) -> Floats:
    """Return the leading components, (cells, up to 50), divided by their largest number."""
    centred = values - values.mean(axis=0)
    n_cells, n_genes = centred.shape
    leading = slice(None, -N_COMPONENTS - 1, -1)
    if n_genes > n_cells:
        variances, vectors = np.linalg.eigh(centred @ centred.T)
        components = vectors[:, leading] * np.sqrt(np.maximum(variances[leading], 0))
    else:
        components = centred @ np.linalg.eigh(centred.T @ centred)[1][:, leading]
    components -= components.mean(axis=0)
    return np.asarray(np.round(components / (np.abs(components).max() or 1.0), COMPONENT_DIGITS))


def similarities(points: Floats, perplexity: float) -> csr_matrix:
    """Return (p_j|i + p_i|j) / 2N, (cells, cells), from each cell's nearest others."""
    n_cells, n = len(points), int(NEIGHBOURS_PER_PERPLEXITY * perplexity)
    nearest, distances = np.empty((n_cells, n), dtype=np.int64), np.empty((n_cells, n))
    for start in range(0, n_cells, _CELLS_PER_BLOCK):
        block = slice(start, start + _CELLS_PER_BLOCK)
        here = cdist(points[block], points)
        rows = np.arange(len(here))
        here[rows, start + rows] = np.inf
        nearest[block] = np.argsort(here, axis=1, kind="stable")[:, :n]
        distances[block] = np.take_along_axis(here, nearest[block], axis=1)
    one_way = csr_matrix(
        (
            _conditional(distances**2, perplexity).ravel(),
            nearest.ravel(),
            np.arange(0, n_cells * n + 1, n),
        ),
        shape=(n_cells, n_cells),
    )
    both = (one_way + one_way.T).tocsr()
    both.sort_indices()
    both.data = np.round(both.data / 2, DIGITS) / n_cells
    return both


@njit(nogil=True, error_model="numpy")
def _conditional(squares: Floats, perplexity: float) -> Floats:
    """Return p_j|i, (cells, neighbours): normal kernels, each as wide as gives the perplexity."""
    n_cells, n = squares.shape
    result = np.empty((n_cells, n))
    wanted = np.log(perplexity)
    for cell in range(n_cells):
        beta, low, high = 1.0, 0.0, np.inf
        total = 0.0
        for _ in range(MOST_HALVINGS):
            total, weighted = 2.2250738585072014e-308, 0.0
            for j in range(n):
                p = np.exp(-beta * squares[cell, j])
                result[cell, j] = p
                total += p
                weighted += beta * squares[cell, j] * p
            excess = weighted / total + np.log(total) - wanted
            if abs(excess) < TOLERANCE:
                break
            if excess > 0:
                low = beta
                beta = beta * 2.0 if np.isinf(high) else (beta + high) / 2.0
            else:
                high = beta
                beta = (beta + low) / 2.0
        for j in range(n):
            result[cell, j] /= total
    return result
