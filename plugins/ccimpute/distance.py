"""The weighted Spearman distance between cells (Malec et al. 2022, Measure of dissimilarity)."""

from __future__ import annotations

from typing import Any

import numpy as np
from impbench_plugins.shared.compiled import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def weighted_spearman_distance(counts: NDArray[Any], weights: Floats) -> Floats:
    """Return 1 − r between all cells, r the weighted Pearson correlation of weighted ranks.

    Parameters
    ----------
    counts
        (cells, genes), any values that order the genes within a cell as the logged ones do.
    weights
        (genes,) not negative; ccImpute takes the variances of the logged values.

    Returns
    -------
    (cells, cells) float64 in [0, 2]; 1 for a cell whose genes are all equal.
    """
    ranks = unit_ranks(counts, weights)
    return 1.0 - ranks @ ranks.T


def unit_ranks(counts: NDArray[Any], weights: Floats) -> Floats:
    """Return the centred weighted ranks of each cell, scaled so that products are correlations.

    The weighted rank of a value is the weight of all smaller values in its cell, plus (n + 1)/2
    times the mean weight of the n values that equal it.

    Returns
    -------
    (cells, genes) float64, rows of length 1; 0 throughout where all ranks of a cell are equal.
    """
    total = weights.sum()
    if not total > 0:
        return np.zeros(counts.shape)
    shares = weights / total
    ranks = _weighted_ranks(np.ascontiguousarray(counts, dtype=np.float64), shares)
    return _unit_rows(ranks, shares)


def unit_mean_ranks(counts: NDArray[Any], weights: Floats) -> Floats:
    """Return the same from plain ranks, equal values sharing the mean of theirs (ccImpute 1.8.0).

    The weights then count in the correlation alone.
    """
    total = weights.sum()
    if not total > 0:
        return np.zeros(counts.shape)
    n_genes = counts.shape[1]
    ranks = _weighted_ranks(np.ascontiguousarray(counts, dtype=np.float64), np.ones(n_genes))
    return _unit_rows(ranks / n_genes, weights / total)


def _unit_rows(ranks: Floats, shares: Floats) -> Floats:
    ranks -= (ranks @ shares)[:, None]
    ranks *= np.sqrt(shares)
    lengths = np.sqrt(np.einsum("ij,ij->i", ranks, ranks))
    # Ranks lie in [0, 1]; equal ranks leave rounding only.
    ranks[lengths < 1e-12] = 0.0
    ranks /= np.where(lengths < 1e-12, 1.0, lengths)[:, None]
    return ranks


@njit(nogil=True)
def _weighted_ranks(values: Floats, weights: Floats) -> Floats:
    n_cells, n_genes = values.shape
    ranks = np.empty((n_cells, n_genes))
    for cell in range(n_cells):
        row = values[cell]
        order = np.argsort(row)
        below = 0.0
        first = 0
        while first < n_genes:
            last = first
            tied = 0.0
            while last < n_genes and row[order[last]] == row[order[first]]:
                tied += weights[order[last]]
                last += 1
            n = last - first
            rank = below + 0.5 * (n + 1) * tied / n
            for position in range(first, last):
                ranks[cell, order[position]] = rank
            below += tied
            first = last
    return ranks
