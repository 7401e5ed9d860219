"""k-means of the cells, once for every number of components, from the original's starts or ours.

The original's `set.seed` does not reach its k-means: that runs inside BiocParallel, which draws
from a stream of its own. Each call of the program moves that stream on by one number, and each
clustering of a call has a substream.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from impbench_plugins.shared.kmeans import best_kmeans
from impbench_plugins.shared.r_kmeans import distinct_points, r_kmeans
from impbench_plugins.shared.r_streams import Stream, biocparallel_stream
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from impbench.errors import InputError

from .distance import Floats

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class ConsensusClustering:
    """How the cells are clustered; the parameters of the method that concern it.

    Attributes
    ----------
    method
        Name for messages.
    stream
        Where R draws the starts of k-means, which then takes R's steps; without one, starts of our
        own are drawn from `seed`.
    """

    method: str
    n_groups: int
    n_starts: int
    max_passes: int
    seed: int
    threads: int
    stream: Stream | None


def stream_of_run(number: int) -> Stream:
    """Return where BiocParallel's stream stands for run `number` of a session of R, from 1.

    Run 0 is the one that would have come before.
    """
    return biocparallel_stream().after((number - 1) % 2**32)


def cluster_cells(
    loadings: Floats,
    wanted: list[int],
    how: ConsensusClustering,
    progress: Callable[[float], None],
) -> Labels:
    """Cluster the cells by their first components, as many as each of `wanted` says.

    Parameters
    ----------
    loadings
        (cells, components).

    Returns
    -------
    (cells, clusterings).

    Raises
    ------
    InputError
        If R draws the starts and there are fewer distinct cells than groups.
    """

    def one(number: int) -> Labels:
        points = loadings[:, : wanted[number]]
        if how.stream is None:
            return best_kmeans(points, how.n_groups, how.n_starts, how.seed, how.max_passes)[0]
        return _as_r(points, how, how.stream.substream(number))

    found = []
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(max(1, how.threads)) as pool:
        for labels in pool.map(one, range(len(wanted))):
            found.append(labels)
            progress(len(found) / len(wanted))
    return np.stack(found, axis=1)


def _as_r(points: Floats, how: ConsensusClustering, stream: Stream) -> Labels:
    distinct = distinct_points(points)
    if len(distinct) < how.n_groups:
        raise InputError(
            f"{how.method}: {how.n_groups} groups, but only {len(distinct)} cells differ in "
            "their components, and k-means starts from distinct cells; pass a smaller n_groups"
        )
    starts = stream.samples(len(distinct), how.n_groups, how.n_starts)
    return r_kmeans(points, distinct[starts], how.max_passes)[0]
