"""ccImpute 1.8.0 of Bioconductor, from counts to imputed values.

Since its version 1.6 the package differs from the paper (Malec et al. 2022) in every step but the
consensus itself: ranks, components, threshold and values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from impbench_plugins.shared.distance_components import distance_components
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from .clusterings import ConsensusClustering, Labels, cluster_cells
from .consensus import Consensus
from .distance import Floats, unit_mean_ranks
from .method import in_blocks
from .neighbour_means import fill_with_means
from .solve import fill_dropouts

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
    progress: Callable[[float], None],
) -> Labels:
    """Cluster the cells once for every number of components; (cells, clusterings).

    The program takes the components of the correlations r; those of 1 − r are the same but for
    their sign.

    Raises
    ------
    InputError
        As `cluster_cells`.
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
    return cluster_cells(loadings, wanted, how, lambda part: progress(0.4 + 0.6 * part))


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
