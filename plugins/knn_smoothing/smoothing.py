"""The steps of kNN-smoothing (Wagner, Yan & Yanai 2018, Algorithm 1, with the PCA of version 2).

Nothing of size cells × cells is formed: neighbours are searched exactly, a block of cells at a
time, and the sums are products with a sparse matrix of k + 1 entries per cell.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, log2

import numpy as np
import scipy.sparse as sp
from impbench_plugins.shared.nearest import nearest
from impbench_plugins.shared.sparse_products import multiply
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits

from impbench import scale
from impbench.scale import Matrix

Float32 = NDArray[np.float32]
Cells = NDArray[np.int64]


def nearest_cells(
    counts: Matrix,
    k: int,
    d: int = 10,
    dither: float = 0.03,
    seed: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Cells:
    """Find the cells that each cell is smoothed with.

    In step t, 2ᵗ − 1 of them, at most `k`, are the nearest by the data smoothed in step t − 1.

    Parameters
    ----------
    counts
        (cells, genes) raw, more than `k` cells.
    d, dither
        Components, and the width of the noise on each as a share of its range.
    seed
        Of the randomised PCA and the noise.

    Returns
    -------
    (cells, k + 1), each cell itself first.
    """
    rng = np.random.default_rng(seed)
    n_steps = ceil(log2(k + 1))
    progress(0, n_steps)
    neighbours = np.arange(counts.shape[0])[:, None]
    # One thread: sums always run in the same order.
    with threadpool_limits(1):
        for step in range(1, n_steps + 1):
            smoothed = sum_over_neighbours(counts, neighbours)
            points = _components(smoothed, d, rng)
            del smoothed
            points += (rng.random(points.shape) - 0.5) * (dither * np.ptp(points, axis=0))
            neighbours = _nearest(points, min(2**step - 1, k))
            progress(step, n_steps)
    return neighbours


def sum_over_neighbours(counts: Matrix, neighbours: Cells) -> Float32:
    """Add up raw counts over each cell's neighbours.

    Parameters
    ----------
    counts
        (cells, genes).
    neighbours
        (cells, n), each cell itself among them.

    Returns
    -------
    (cells, genes) dense float32.
    """
    n_cells, n = neighbours.shape
    chosen = sp.csr_matrix(
        (np.ones(neighbours.size, np.float32), neighbours.ravel(), np.arange(n_cells + 1) * n),
        shape=(n_cells, n_cells),
    )
    if sp.issparse(counts):
        return np.asarray((chosen @ counts.astype(np.float32)).toarray())
    return multiply(chosen, np.asarray(counts, dtype=np.float32))


def with_library_sizes(smoothed: Float32, counts: Matrix) -> Float32:
    """Scale each smoothed cell to the library size it has in `counts`."""
    wanted, size = scale.library_sizes(counts), scale.library_sizes(smoothed)
    return smoothed * (wanted / np.where(size > 0, size, 1.0)).astype(np.float32)[:, None]


def _components(smoothed: Float32, d: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the leading components of √x + √(x + 1), x the sums, scaled to their median."""
    sizes = scale.library_sizes(smoothed)
    x = scale.normalise(smoothed, scale.size_factors(sizes))
    root = np.sqrt(x)
    x += 1
    np.sqrt(x, out=x)
    x += root
    del root
    x -= x.mean(axis=0, dtype=np.float64).astype(np.float32)
    seed = int(rng.integers(2**32))
    left, singular, _ = randomized_svd(x, min(d, *x.shape), random_state=seed)
    return np.asarray(left * singular, dtype=np.float64)


def _nearest(points: NDArray[np.float64], k: int) -> Cells:
    """Return each cell and its `k` nearest others, (cells, k + 1), by Euclidean distance."""
    own = np.arange(len(points))[:, None]
    _, found = nearest(points, points, k + 1)
    # Where more cells than that coincide, a cell may not have found itself.
    others = np.argsort(found == own, axis=1, kind="stable")[:, :k]
    return np.hstack([own, np.take_along_axis(found, others, axis=1)])
