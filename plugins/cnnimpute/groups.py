"""Groups of cells for cnnImpute: t-SNE in three dimensions, density peaks, k-means from them."""

from __future__ import annotations

from typing import Any

import numpy as np
from impbench_plugins.shared.kmeans import kmeans_from
from numpy.typing import NDArray

from impbench.errors import InputError

from .density_peaks import density_peaks
from .tsne import NEIGHBOURS_PER_PERPLEXITY, embed

Labels = NDArray[np.intp]
Floats = NDArray[np.float64]

PERPLEXITY, SMALL_PERPLEXITY = 30.0, 5.0
FEW_CELLS = 30
"""Up to this many the program takes the small perplexity."""
N_CLUSTERS = range(2, 11)


def find_groups(
    counts: NDArray[Any], n_clusters: int | None, perplexity: float | None, n_embeddings: int
) -> tuple[Labels, Floats]:
    """Group the cells.

    t-SNE starts from R's seed 1, as in paper and program, then from 2 and so on.

    Parameters
    ----------
    counts
        (cells, genes); no cell is empty.
    n_clusters
        How many groups; None lets the density peaks say, from 2 to 10.
    perplexity
        Of t-SNE; None is 30, or 5 where there are at most 30 cells.
    n_embeddings
        How many embeddings to group; the groups that agree best with the others' are taken.

    Returns
    -------
    Labels from 0, (cells,), and the t-SNE coordinates, (cells, 3).

    Raises
    ------
    InputError
        If there are too few cells for the perplexity, or for that many clusters.
    """
    n_cells = len(counts)
    if perplexity is None:
        perplexity = PERPLEXITY if n_cells > FEW_CELLS else SMALL_PERPLEXITY
    if n_cells - 1 < NEIGHBOURS_PER_PERPLEXITY * perplexity:
        most = (n_cells - 1) / NEIGHBOURS_PER_PERPLEXITY
        raise InputError(
            f"cnnimpute: t-SNE with perplexity {perplexity:g}, as published, needs more than "
            f"{NEIGHBOURS_PER_PERPLEXITY * perplexity:g} cells with counts and got {n_cells}; pass "
            f"a perplexity of at most {most:.4g}, or n_clusters=1, which needs no t-SNE"
        )
    per_million = counts * (1e6 / counts.sum(axis=1, dtype=np.float64))[:, None]
    values = np.log2(per_million + 1)
    embeddings = [embed(values, perplexity, seed) for seed in range(1, n_embeddings + 1)]
    groupings = [groups_in(coordinates, n_clusters) for coordinates in embeddings]
    best = most_typical(groupings)
    return groupings[best], embeddings[best]


def most_typical(groupings: list[Labels]) -> int:
    """Return which of several groupings agrees best with all, the first of equally good ones.

    Two agree by the share of pairs of cells that both put together or both apart (Rand 1971).
    """
    return int(np.argmax([sum(_agreement(one, other) for other in groupings) for one in groupings]))


def _agreement(one: Labels, other: Labels) -> int:
    """Return the pairs treated alike, counted twice, up to a number that is the same for all."""
    together = np.zeros((one.max() + 1, other.max() + 1), dtype=np.int64)
    np.add.at(together, (one, other), 1)
    sizes = together.sum(axis=0), together.sum(axis=1)
    return int(2 * (together**2).sum() - sum((size**2).sum() for size in sizes))


def groups_in(coordinates: Floats, n_clusters: int | None) -> Labels:
    """Return labels from 0 of density peaks and k-means from them, (cells,)."""
    n_cells = len(coordinates)
    candidates = N_CLUSTERS if n_clusters is None else (n_clusters,)
    centres = density_peaks(coordinates, [k for k in candidates if k <= n_cells])
    if not len(centres):
        raise InputError(
            f"cnnimpute: {n_clusters} clusters are too many for {n_cells} cells with counts; "
            "pass a smaller n_clusters"
        )
    labels, _ = kmeans_from(coordinates, centres[None].astype(np.int64))
    return labels.astype(np.intp)
