"""ALRA's threshold and rescaling of each gene (Linderman et al. 2022, Methods)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from impbench import large

Floats = NDArray[np.float64]

GENES, ENTRIES = 256, 2**25
"""Genes, and about how many entries, are completed at once: bounds memory."""


def complete(values: Floats, left: Floats, right: Floats, quantile: float) -> int:
    """Replace `values` by their completion, in place.

    Of the approximation left · right, a gene's entries up to the size of its `quantile` become 0;
    the others are rescaled to the mean and standard deviation of the gene's observed non-zeros,
    and those that end below 0 become 0. An observed value that became 0 is restored.

    Parameters
    ----------
    values
        (cells, genes) observed, logged.
    left, right
        (cells, rank) and (rank, genes).
    quantile
        From 0 to 1, between entries by linear interpolation.

    Returns
    -------
    Number of observed values restored.
    """
    n_restored = 0
    n_genes = max(1, min(GENES, ENTRIES // max(1, len(values))))
    for start in range(0, values.shape[1], n_genes):
        genes = slice(start, start + n_genes)
        observed = _columns(values, genes)
        low_rank = left @ right[:, genes]
        threshold = np.abs(np.quantile(low_rank, quantile, axis=0))
        kept = low_rank > threshold
        completed = np.where(kept, _rescaled(low_rank, kept, observed), 0.0)
        restored = (completed <= 0) & (observed > 0)
        n_restored += int(restored.sum())
        completed = np.where(restored, observed, np.maximum(completed, 0))
        for cells in large.some_rows(values):
            values[cells, genes] = completed[cells]
    return n_restored


def _columns(values: Floats, genes: slice) -> Floats:
    """Return some genes; of a large array a copy, since a view of it would hold all its pages."""
    if values.nbytes < large.LARGE:
        return values[:, genes]
    columns = np.empty((len(values), len(range(*genes.indices(values.shape[1])))))
    for cells in large.some_rows(values):
        columns[cells] = values[cells, genes]
    return columns


def _rescaled(low_rank: Floats, kept: NDArray[np.bool_], observed: Floats) -> Floats:
    """Move each gene's kept entries to the mean and sd of its observed non-zeros.

    A gene stays as it is where one of the deviations does not exist (fewer than two entries), or
    that of the kept ones is 0.
    """
    kept_mean, kept_sd = _mean_and_sd(low_rank, kept)
    mean, sd = _mean_and_sd(observed, observed > 0)
    able = np.isfinite(kept_sd) & np.isfinite(sd) & (kept_sd > 0)
    factor = np.divide(sd, kept_sd, out=np.ones_like(sd), where=able)
    shift = np.where(able, mean - kept_mean * factor, 0.0)
    return low_rank * factor + shift


def _mean_and_sd(values: Floats, chosen: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return mean and sample sd of the chosen entries of each gene, NaN where undefined."""
    n = chosen.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(chosen, values, 0.0).sum(axis=0) / n
        squares = np.where(chosen, (values - mean) ** 2, 0.0).sum(axis=0)
        return mean, np.sqrt(np.where(n > 1, squares / (n - 1), np.nan))
