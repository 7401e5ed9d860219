"""Cells into clusters: k-means with the true k, or Leiden with a search for it.

The same input and seed give the same clusters, whatever number of threads is allowed.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

if TYPE_CHECKING:
    import igraph


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
    """Cluster by Leiden at the resolution whose number of clusters is k.

    The resolution is found by bisection between 0 and 4, as scMAE searches it. Where none of the
    20 tried gives exactly `k` clusters, the nearest number wins, the first found on a tie.

    Parameters
    ----------
    points
        (cells, dimensions); the graph joins cells that share some of their 20 nearest neighbours
        (themselves among them), weighted by the Jaccard index of the two sets where that is above
        1/15, as in Seurat.
    k, seed
        Number of clusters to aim at, and the seed of Leiden.

    Returns
    -------
    (cells,) cluster numbers from 0, largest cluster first.

    References
    ----------
    Traag, Waltman and van Eck (2019), Scientific Reports 9:5233; modularity with a resolution.
    """
    graph = _graph(points)
    low, high = 0.0, 4.0
    best: list[int] = []
    for _ in range(20):
        resolution = (low + high) / 2
        found = _communities(graph, resolution, seed)
        n_found = max(found) + 1
        if not best or abs(n_found - k) < abs(max(best) + 1 - k):
            best = found
        if n_found == k:
            break
        low, high = (resolution, high) if n_found < k else (low, resolution)
    return np.asarray(best, dtype=np.int64)


def leiden_at(points: NDArray[np.float64], resolution: float, seed: int) -> NDArray[np.int64]:
    """Cluster by Leiden at one resolution, on the graph of `leiden`; returns as it does."""
    return np.asarray(_communities(_graph(points), resolution, seed), dtype=np.int64)


def _communities(graph: igraph.Graph, resolution: float, seed: int) -> list[int]:
    import leidenalg

    found = leidenalg.find_partition(
        graph,
        leidenalg.RBConfigurationVertexPartition,
        weights="weight",
        n_iterations=2,
        seed=seed,
        resolution_parameter=resolution,
    )
    membership: list[int] = found.membership
    return membership


def _graph(points: NDArray[np.float64]) -> igraph.Graph:
    import igraph

    pairs, weights = _shared_neighbours(points)
    return igraph.Graph(n=len(points), edges=pairs, edge_attrs={"weight": weights})


def _shared_neighbours(
    points: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the pairs of cells that share enough neighbours, (pairs, 2), and their weights."""
    from sklearn.neighbors import kneighbors_graph
    from threadpoolctl import threadpool_limits

    n_neighbours = min(20, len(points))
    with threadpool_limits(1):
        near = kneighbors_graph(points, n_neighbours, include_self=True)
    shared = sp.triu(near @ near.T, k=1).tocoo()
    weights = shared.data / (2 * n_neighbours - shared.data)
    kept = weights > 1 / 15
    pairs = np.column_stack([shared.row, shared.col]).astype(np.int64)
    return pairs[kept], weights[kept]
