"""DrImpute's clusterings: k-means on components of two distances (Gong et al. 2018, Methods)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from impbench_plugins.shared.distance_components import distance_components
from impbench_plugins.shared.kmeans import best_kmeans
from numpy.typing import NDArray
from scipy.stats import rankdata
from threadpoolctl import threadpool_limits

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def cluster(
    lognorm: NDArray[np.float32],
    ks: Sequence[int],
    share: float,
    n_starts: int,
    seed: int,
    threads: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Labels:
    """Cluster the cells by Spearman's, then by Pearson's correlation, into each number of clusters.

    Parameters
    ----------
    lognorm
        (cells, genes).
    share
        Components used, as a share of the number of cells; at least one, at most those there are.
    n_starts
        Random starts of k-means; where fewer points differ than clusters are asked for, there are
        as many clusters as points.

    Returns
    -------
    (cells, 2 × numbers) labels from 0.
    """
    n_dims = max(1, round(share * len(lognorm)))
    n_steps = 2 + 2 * len(ks)
    progress(0, n_steps)
    tasks: list[tuple[Floats, int]] = []
    with threadpool_limits(1, user_api="blas"):
        for step, unit_rows in enumerate((unit_ranks, unit_values), 1):
            points = distance_components(lognorm, unit_rows, 0.0, n_dims).loadings
            if points.shape[1] == 0:  # All cells are the same.
                points = np.zeros((len(lognorm), 1))
            tasks += [(points, k) for k in ks]
            progress(step, n_steps)

    def one(task: tuple[Floats, int]) -> Labels:
        return np.asarray(best_kmeans(*task, n_starts, seed)[0])

    found = []
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(max(1, threads)) as pool:
        for labels in pool.map(one, tasks):
            found.append(labels)
            progress(2 + len(found), n_steps)
    return np.stack(found, axis=1)


def unit_ranks(values: NDArray[Any]) -> Floats:
    """Rank each cell's genes, ties by their mean rank, then as `unit_values`."""
    return unit_values(rankdata(values, axis=1))


def unit_values(values: NDArray[Any]) -> Floats:
    """Centre and scale each cell so that products are correlations; 0 where all are equal."""
    rows = values.astype(np.float64)
    rows -= rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    # What centring equal values leaves is rounding.
    varies = lengths > 1e-9 * np.abs(values).max(axis=1, keepdims=True, initial=0)
    rows *= varies
    rows /= np.where(varies, lengths, 1.0)
    return rows
