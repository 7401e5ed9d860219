"""The genes that AutoImpute's authors keep: expressed, and of high dispersion."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

FEWEST_READS = 3
N_BINS = 20


def dispersed_genes(
    counts: NDArray[Any],
    size_factors: NDArray[np.float64],
    n_genes: int,
    rule: Literal["code", "paper"],
) -> NDArray[np.intp]:
    """Choose genes.

    Parameters
    ----------
    counts
        (cells, genes).
    size_factors
        (cells,).
    n_genes
        How many at most.
    rule
        ``code``: 3 reads or more in at least 4 cells; the largest |dispersion − median| / MAD among
        genes of similar mean (20 bins of equally many genes), dispersion being variance / mean.
        ``paper``: 3 reads or more in at least 3 cells; the largest coefficient of variation.

    Returns
    -------
    Indices in the original order; empty if no gene is expressed enough.
    """
    fewest_cells = 4 if rule == "code" else 3
    expressed = np.flatnonzero((counts >= FEWEST_READS).sum(axis=0) >= fewest_cells)
    values = counts[:, expressed] / size_factors[:, None]
    mean, variance = values.mean(axis=0), values.var(axis=0, ddof=1)
    score = _in_bins(variance / mean, mean) if rule == "code" else np.sqrt(variance) / mean
    return np.sort(expressed[np.argsort(-score, kind="stable")[:n_genes]])


def _in_bins(dispersion: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return |dispersion − median| / MAD within bins of the mean; 0 where the MAD is 0."""
    score = np.zeros_like(dispersion)
    for genes in np.array_split(np.argsort(mean, kind="stable"), N_BINS):
        if genes.size:
            distance = np.abs(dispersion[genes] - np.median(dispersion[genes]))
            mad = np.median(distance)
            score[genes] = distance / mad if mad > 0 else 0.0
    return score
