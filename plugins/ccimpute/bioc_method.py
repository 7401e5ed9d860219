"""ccImpute 1.8.0 of Bioconductor, from counts to imputed values.

Since its version 1.6 the package differs from the paper (Malec et al. 2022) in every step but the
consensus itself: ranks, components, threshold and values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from impbench_plugins.shared.distance_components import distance_components
from impbench_plugins.shared.r_kmeans import distinct_points, r_kmeans
from impbench_plugins.shared.r_streams import Stream
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from impbench.errors import InputError

from .consensus import Consensus
from .distance import Floats, unit_mean_ranks
from .method import ConsensusClustering, in_blocks
from .neighbour_means import fill_with_means
from .solve import fill_dropouts

Labels = NDArray[np.int64]

SHARE_OF_CELLS = 0.08
MOST_CELLS_COUNTED = 2000
MOST_CLUSTERINGS = 8


def bioc_dimensions(n_cells: int) -> list[int]:
    """Choose how many leading components each clustering uses.

    Of the m = 8 % of the cells (2 000 at most) that are found, from half of m up, in at most eight
    even steps.
    """
    most = math.ceil(SHARE_OF_CELLS * min(MOST_CELLS_COUNTED, n_cells))
    first = math.ceil(most / 2)
    step = max(1, math.ceil((most - first) / MOST_CLUSTERINGS))
    return list(range(first, most + 1, step))[:MOST_CLUSTERINGS]


def bioc_cluster(
    counts: NDArray[Any],
    weights: Floats,
    how: ConsensusClustering,
    stream: Stream,
    progress: Callable[[float], None],
) -> Labels:
    """Cluster the cells once for every number of components; (cells, clusterings).

    The program takes the components of the correlations r; those of 1 − r are the same but for
    their sign. Each clustering draws its starts from a substream of `stream`.

    Raises
    ------
    InputError
        If there are fewer distinct cells than groups.
    """
    wanted = bioc_dimensions(len(counts))
    with threadpool_limits(1, user_api="blas"):
        loadings = distance_components(
            counts,
            lambda block: unit_mean_ranks(block, weights),
            0.0,
            wanted[-1],
            lambda part: progress(0.4 * part),
        ).loadings

    def one(number: int) -> Labels:
        points = loadings[:, : wanted[number]]
        distinct = distinct_points(points)
        if len(distinct) < how.n_groups:
            raise InputError(
                f"ccimpute-bioc: {how.n_groups} groups, but only {len(distinct)} cells differ in "
                "their components, and k-means starts from distinct cells; pass a smaller n_groups"
            )
        starts = stream.substream(number).samples(len(distinct), how.n_groups, how.n_starts)
        return r_kmeans(points, distinct[starts], how.max_passes)[0]

    found = []
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(max(1, how.threads)) as pool:
        for labels in pool.map(one, range(len(wanted))):
            found.append(labels)
            progress(0.4 + 0.6 * len(found) / len(wanted))
    return np.stack(found, axis=1)


def bioc_impute_given(
    counts: NDArray[Any],
    size_factors: Floats,
    labels: Labels,
    threshold: float = 0.75,
    fast_solver: bool = True,
    as_original: bool = True,
    threads: int = 1,
    progress: Callable[[float], None] = lambda part: None,
) -> tuple[NDArray[np.float32], int]:
    """Impute from given clusterings.

    Parameters
    ----------
    counts, size_factors
        (cells, genes) and (cells,); logged here, gene by gene, in double precision.
    labels
        (cells, clusterings).
    threshold
        As in `Consensus.from_labels`.
    fast_solver
        `fill_with_means`, else `fill_dropouts`.
    as_original
        As in `fill_dropouts`.

    Returns
    -------
    (cells, genes) float32 and the number of entries imputed.
    """
    consensus = Consensus.from_labels(labels, threshold)

    def fill(genes: slice) -> tuple[Floats, int]:
        lognorm = np.log2(1 + counts[:, genes] / size_factors[:, None])
        if fast_solver:
            return fill_with_means(consensus, lognorm, as_original)
        return fill_dropouts(consensus, lognorm, as_original, transposed=True)

    return in_blocks(fill, counts.shape, threads, progress)
