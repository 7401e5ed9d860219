"""The genes that AutoImpute's authors keep: expressed, and of high dispersion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

FEWEST_READS = 3
EDGES = np.minimum(0.1 + 0.05 * np.arange(19), 1.0)
"""Quantiles of the mean that part the bins: the first holds 10 % of the genes, the others 5 %."""
MAD_TO_SD = 1.4826
"""The median absolute deviation of a normal distribution times this is its standard deviation."""


@dataclass(frozen=True)
class DispersedGenes:
    """The genes chosen, and what their counts are divided by.

    Attributes
    ----------
    genes
        Indices, the largest score first; empty if no gene is expressed enough.
    size_factors
        (cells,): a cell's counts of all expressed genes, also those not chosen, over their median.
    """

    genes: NDArray[np.intp]
    size_factors: NDArray[np.float64]


def dispersed_genes(
    counts: NDArray[Any], n_genes: int, rule: Literal["code", "paper"]
) -> DispersedGenes:
    """Choose genes.

    Parameters
    ----------
    counts
        (cells, genes).
    n_genes
        How many at most.
    rule
        ``code``: 3 reads or more in at least 4 cells; the largest |dispersion − median| / MAD among
        genes of similar mean, dispersion being variance / mean. A MAD of 0 makes the score
        infinite, and 0 / 0 comes last. ``paper`` (Data preprocessing): 3 reads or more in at least
        3 cells; the largest coefficient of variation.
    """
    fewest_cells = 4 if rule == "code" else 3
    expressed = np.flatnonzero((counts >= FEWEST_READS).sum(axis=0) >= fewest_cells)
    if not expressed.size:
        return DispersedGenes(expressed, np.ones(len(counts)))
    kept = counts[:, expressed].astype(np.float64)
    factors = kept.sum(axis=1)
    factors /= np.median(factors[factors > 0])
    factors[factors == 0] = 1  # A cell without counts stays one.
    kept /= factors[:, None]
    mean, variance = kept.mean(axis=0), kept.var(axis=0, ddof=1)
    score = _in_bins(variance / mean, mean) if rule == "code" else np.sqrt(variance) / mean
    order = np.argsort(-score, kind="stable")  # NaN comes last.
    return DispersedGenes(expressed[order[:n_genes]], factors)


def _in_bins(dispersion: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return |dispersion − median| / (1.4826 MAD) within bins of the mean, closed on the right."""
    score = np.zeros_like(dispersion)
    bins = np.searchsorted(np.quantile(mean, EDGES), mean, side="left")
    for one in np.unique(bins):
        genes = bins == one
        distance = np.abs(dispersion[genes] - np.median(dispersion[genes]))
        with np.errstate(divide="ignore", invalid="ignore"):
            score[genes] = distance / (MAD_TO_SD * np.median(distance))
    return score
