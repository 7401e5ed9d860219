"""ccImpute from counts to imputed values (Malec et al. 2022, Algorithm 1)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from impbench_plugins.shared.distance_components import Components, distance_components
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from .clusterings import ConsensusClustering, Labels, cluster_cells
from .consensus import Consensus
from .distance import Floats, unit_ranks
from .solve import fill_dropouts

FEW_CELLS = 500
"""From here on components are chosen by their share of variance."""
SHARES = (0.0008, 0.002)
MAX_CLUSTERINGS = 15
GENES = 256
"""Genes solved for at once, by all threads together: bounds memory."""


def gene_weights(counts: NDArray[Any], size_factors: Floats) -> Floats:
    """Return the variance of each gene's log2(1 + count / size factor), (genes,) float64."""
    weights = np.empty(counts.shape[1])
    for start in range(0, len(weights), GENES):
        genes = slice(start, start + GENES)
        weights[genes] = np.log2(1 + counts[:, genes] / size_factors[:, None]).var(axis=0, ddof=1)
    return weights


def dimensions(n_cells: int, shares: Floats) -> list[int]:
    """Choose how many leading components each clustering uses.

    Below 500 cells from 4 % to 7 % of their number; else, as the original program counts, from one
    more than have a share of variance above 0.002 to one more than have above 0.0008. At most 15
    values, evenly stepped.

    Parameters
    ----------
    shares
        (components,) shares of variance, falling.
    """
    if n_cells < FEW_CELLS:
        first, last = round(0.04 * n_cells), round(0.07 * n_cells)
    else:
        first = int((shares > SHARES[1]).sum()) + 1
        last = int((shares > SHARES[0]).sum()) + 1
    last = max(min(last, len(shares)), 1)
    first = min(max(first, 1), last)
    step = max(1, -(-(last - first) // (MAX_CLUSTERINGS - 1)))
    return list(range(first, last + 1, step))


def cluster(
    counts: NDArray[Any],
    weights: Floats,
    how: ConsensusClustering,
    progress: Callable[[float], None],
) -> Labels:
    """Cluster the cells once for every number of components; (cells, clusterings)."""
    n_cells = len(counts)
    if n_cells < FEW_CELLS:
        min_share, most = 0.0, max(1, round(0.07 * n_cells))
    else:
        min_share, most = SHARES[0], int(1 / SHARES[0]) + 1
    with threadpool_limits(1, user_api="blas"):
        components: Components = distance_components(
            counts,
            lambda block: unit_ranks(block, weights),
            min_share,
            most,
            lambda part: progress(0.4 * part),
            and_next=True,
        )
    wanted = dimensions(n_cells, components.shares)
    return cluster_cells(components.loadings, wanted, how, lambda part: progress(0.4 + 0.6 * part))


def impute_given(
    lognorm: NDArray[np.float32],
    labels: Labels,
    threshold: float = 0.65,
    as_original: bool = True,
    threads: int = 1,
    progress: Callable[[float], None] = lambda part: None,
) -> tuple[NDArray[np.float32], int]:
    """Impute from given clusterings.

    Parameters
    ----------
    lognorm
        (cells, genes) logged values.
    labels
        (cells, clusterings).
    threshold, as_original
        As in `Consensus.from_labels` and `fill_dropouts`.

    Returns
    -------
    (cells, genes) float32 and the number of entries imputed.
    """
    consensus = Consensus.from_labels(labels, threshold)

    def fill(genes: slice) -> tuple[Floats, int]:
        return fill_dropouts(consensus, lognorm[:, genes], as_original)

    return in_blocks(fill, lognorm.shape, threads, progress)


def in_blocks(
    fill: Callable[[slice], tuple[Floats, int]],
    shape: tuple[int, ...],
    threads: int = 1,
    progress: Callable[[float], None] = lambda part: None,
) -> tuple[NDArray[np.float32], int]:
    """Fill some genes at a time, several of such blocks at once.

    Parameters
    ----------
    fill
        Returns (cells, genes of the slice) float64, and how many entries it imputed.
    shape
        Cells and genes.

    Returns
    -------
    (cells, genes) float32 and the number of entries imputed.
    """
    n_genes = shape[1]
    result = np.empty(shape, dtype=np.float32)
    n_imputed = 0
    at_once = -(-GENES // max(1, threads))
    blocks = [slice(start, start + at_once) for start in range(0, n_genes, at_once)]

    def fill_block(genes: slice) -> int:
        result[:, genes], n = fill(genes)
        return n

    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(max(1, threads)) as pool:
        for genes, n in zip(blocks, pool.map(fill_block, blocks), strict=True):
            n_imputed += n
            progress(min(1.0, genes.stop / n_genes))
    return result, n_imputed
