"""A cell's molecules dealt to two piles: one that is shown, and one to test against."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from impbench import large
from impbench.data.dataset import Dataset
from impbench.scale import Matrix, library_sizes

MOLECULES_AT_MOST = 5
"""Half of the non-zero counts of molecules (UMIs) are at most this; those of reads are above.

The medians of twelve public sets with UMIs are 1 to 3, those of seven sets of reads 7 to 361
(docs/skill.md): reads are copies, some dozens of each molecule that was caught.
"""


def median_count(counts: Matrix) -> float | None:
    """Return the median of the non-zero counts; None where all are zero."""
    stored = rows_without_zeros(counts).data if sp.issparse(counts) else np.ravel(counts)
    if not stored.size:
        return None
    parts = [np.unique(stored[some], return_counts=True) for some in large.some_rows(stored)]
    values, places = np.unique(np.concatenate([part[0] for part in parts]), return_inverse=True)
    times = np.bincount(places, np.concatenate([part[1] for part in parts]))
    positive = values > 0
    if not positive.any():
        return None
    values, below = values[positive], np.cumsum(times[positive])
    middle = [(below[-1] - 1) // 2, below[-1] // 2]
    return float(values[np.searchsorted(below, middle, side="right")].mean())


def deal(
    dataset: Dataset, share: float | NDArray[np.float64], seed: list[int]
) -> tuple[Dataset, sp.csr_matrix]:
    """Give each molecule to the training pile with probability `share`, else to the test pile.

    If a count is Poisson with mean λ, the two piles are independent, Poisson with means
    `share` · λ and (1 - `share`) · λ (Batson, Royer and Webber 2019, molecular cross-validation).
    Molecules of genes that the dataset leaves out are dealt as well, so that the training library
    sizes say nothing about the test pile.

    Parameters
    ----------
    dataset
        With whole counts.
    share
        Between 0 and 1, one for all cells or (cells,).
    seed
        Any integers; the same dataset and seed give the same deal, dense or sparse.

    Returns
    -------
    The dataset with the training pile as its counts and library sizes, without truth; and the
    test pile, (cells, genes) CSR of the counts' dtype.
    """
    rng = np.random.default_rng(seed)
    counts = rows_without_zeros(dataset.counts)
    train = counts.copy()
    of_entry = share if np.ndim(share) == 0 else np.repeat(share, np.diff(counts.indptr))
    train.data = rng.binomial(counts.data.astype(np.int64), of_entry).astype(counts.dtype)
    elsewhere = np.rint(dataset.library_size - library_sizes(counts)).astype(np.int64)
    library = library_sizes(train) + rng.binomial(np.maximum(elsewhere, 0), share)
    shown = replace(
        dataset,
        counts=as_stored(rows_without_zeros(train), dataset.counts),
        library_size=library,
        true_counts=None,
    )
    return shown, rows_without_zeros(counts - train)


def rows_without_zeros(counts: Matrix) -> sp.csr_matrix:
    """Return a CSR copy, sorted, that stores no zero."""
    rows = sp.csr_matrix(counts, copy=True)
    rows.sum_duplicates()
    rows.eliminate_zeros()
    return rows


def as_stored(rows: sp.csr_matrix, like: Matrix) -> Matrix:
    """Return `rows` dense if `like` is dense."""
    return rows if sp.issparse(like) else rows.toarray()
