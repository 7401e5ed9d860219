"""scGNN's clusters: Louvain says how many, k-means on the embedding says which."""

from __future__ import annotations

import random
import warnings

import numpy as np
from numpy.typing import NDArray

_MANY_CELLS = 2000
_MOST, _SMALLEST = 30, 5
"""Beyond 30 clusters, those of fewer than 5 cells and the surplus become one."""


def count_communities(n_cells: int, pairs: NDArray[np.int64], generator: random.Random) -> int:
    """Return Louvain's number of communities of an unweighted graph; lone cells count.

    igraph draws from one generator for the whole process: it is `generator` during the call.
    """
    import igraph

    graph = igraph.Graph(n=n_cells, edges=pairs)
    igraph.set_random_number_generator(generator)
    try:
        return len(graph.community_multilevel())
    finally:
        igraph.set_random_number_generator(random)


def how_many(n_communities: int, n_cells: int, resolution: float | None) -> int:
    """Return K, `resolution` times the number of communities, and 2 where that is below 3."""
    if resolution is None:
        resolution = 0.8 if n_cells < _MANY_CELLS else 0.5
    return max(int(n_communities * resolution), 2)


def cluster(embedding: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return k-means' labels, (cells,) from 0: one start, always drawn from seed 0."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # Cells in one spot give fewer clusters, which is no fault here.
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = KMeans(k, n_init=1, random_state=0).fit_predict(embedding).astype(np.int64)
    sizes = np.bincount(labels)
    if 1 < np.count_nonzero(sizes) <= _MOST:
        return np.asarray(labels)
    merged = (sizes < _SMALLEST) | (np.arange(len(sizes)) >= _MOST)
    return np.where(merged[labels], _MOST, labels)


def mates(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each cell the size of its cluster, itself included, (cells,)."""
    return np.asarray(np.bincount(labels)[labels])
