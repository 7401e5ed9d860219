"""Cells into clusters: k-means with the true k, or Leiden with a search for it.

The same input and seed give the same clusters, whatever number of threads is allowed.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray


def kmeans(points: NDArray[np.float64], k: int, n_init: int, seed: int) -> NDArray[np.int64]:
    """Cluster by k-means, the best of several k-means++ starts.

    Parameters
    ----------
    points
        (cells, dimensions).
    k, n_init, seed
        Number of clusters, of starts, and the seed of the starts.

    Returns
    -------
    (cells,) cluster numbers from 0; fewer than `k` where there are fewer distinct cells.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    # One thread, because several sum the centres in whatever order they finish.
    with threadpool_limits(1), warnings.catch_warnings():
        # Fewer distinct points than clusters is a property of the imputation, and scored as such.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = KMeans(k, init="k-means++", n_init=n_init, random_state=seed).fit_predict(points)
    return np.asarray(found, dtype=np.int64)


def leiden(points: NDArray[np.float64], k: int, seed: int) -> NDArray[np.int64]:
    """Cluster by Leiden on a neighbour graph, at the resolution whose number of clusters is k.

    The resolution is found by bisection, as scMAE searches it; where no resolution tried gives
    exactly `k`, the nearest number wins, the first found on a tie.

    Parameters
    ----------
    points
        (cells, dimensions); the graph joins 15 nearest neighbours, weighted as in UMAP.
    k, seed
        Number of clusters to aim at, and the seed of the graph and of Leiden.

    Returns
    -------
    (cells,) cluster numbers from 0.
    """
    import scanpy as sc
    from anndata import AnnData
    from threadpoolctl import threadpool_limits

    cells = AnnData(points.astype(np.float32))
    low, high = 0.0, 4.0
    best: NDArray[np.int64] | None = None
    with threadpool_limits(1):
        neighbours = min(15, len(points) - 1)
        sc.pp.neighbors(cells, neighbours, use_rep="X", transformer="sklearn", random_state=seed)
        for _ in range(20):
            resolution = (low + high) / 2
            sc.tl.leiden(
                cells,
                resolution,
                flavor="igraph",
                n_iterations=2,
                directed=False,
                random_state=seed,
            )
            found = cells.obs["leiden"].cat.codes.to_numpy(dtype=np.int64)
            n_found = found.max() + 1
            if best is None or abs(n_found - k) < abs(best.max() + 1 - k):
                best = found
            if n_found == k:
                break
            low, high = (resolution, high) if n_found < k else (low, resolution)
    assert best is not None
    return best
