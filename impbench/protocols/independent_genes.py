"""Counts whose genes are independent given the library size: each gene permuted across cells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from impbench.data.dataset import Dataset
from impbench.protocols.molecules import as_stored
from impbench.scale import library_sizes

DEEPEST = 2.0
"""Library sizes beyond this many medians count as that, so that a median cell keeps half."""


def permute_genes(
    dataset: Dataset, genes: NDArray[np.intp], depth: NDArray[np.float64] | None, seed: int
) -> Dataset:
    """Permute the counts of each of `genes` over all cells, apart from every other gene.

    Every order of a gene's counts is equally likely and drawn apart for each gene, so permuted
    genes are independent of each other, of all other genes, of cell types and of batches. Then,
    with `depth`, every molecule of cell i stays with probability depth_i. Given depth, a permuted
    gene j has mean depth_i · mean_j in every cell, and genes are still independent: all that two of
    them share is the library size.

    Parameters
    ----------
    dataset
        Its counts, dense or sparse; whole numbers if there is a `depth`.
    genes
        Numbers of the genes to permute.
    depth
        (cells,) between 0 and 1, such as from `relative_depth`, or None to keep every molecule.
    seed
        Of the permutations and molecules; dense and sparse counts give the same.

    Returns
    -------
    The dataset with such counts, without truth. Library sizes are the new totals and what the mean
    cell has in genes that are not here (see `Dataset.library_size`), times depth: the sum of many
    permuted genes differs little from cell to cell.
    """
    rng = np.random.default_rng(seed)
    columns = sp.csc_matrix(dataset.counts)

    def draw(counts: NDArray[np.number]) -> NDArray[np.number]:
        shuffled = rng.permutation(counts)
        if depth is None:
            return shuffled
        return rng.binomial(shuffled.astype(np.int64), depth).astype(counts.dtype)

    permuted = [sp.csc_matrix(draw(columns[:, [gene]].toarray()[:, 0])[:, None]) for gene in genes]
    elsewhere = dataset.library_size - library_sizes(dataset.counts)
    if permuted:
        kept = np.setdiff1d(np.arange(dataset.n_genes), genes)
        place = np.argsort(np.concatenate([kept, genes]))
        columns = sp.hstack([columns[:, kept], *permuted], format="csc")[:, place]
    counts = as_stored(sp.csr_matrix(columns), dataset.counts)
    share = np.ones(dataset.n_cells) if depth is None else depth
    library_size = library_sizes(counts) + share * max(elsewhere.mean(), 0)
    return replace(dataset, counts=counts, library_size=library_size, true_counts=None)


def relative_depth(library_size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each library size over the largest, or over two medians if that is less; at most 1."""
    largest = min(library_size.max(), DEEPEST * np.median(library_size))
    return np.minimum(library_size / largest, 1) if largest > 0 else np.ones_like(library_size)
