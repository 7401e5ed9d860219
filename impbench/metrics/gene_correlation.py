"""Correlation between genes: what of it is kept, and what is made up.

Arguments are (pairs,) Pearson correlations over cells of the same pairs of genes. A gene that the
imputation makes constant correlates with nothing, so its pairs count as 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench.metrics.metric import correlation, metric, share
from impbench.scale import Matrix

Pairs = NDArray[np.floating[Any]]
FALSE_DISCOVERY_RATE = 0.05


@correlation(
    title="Gene–gene r kept",
    meaning=(
        "Whether genes that truly go together still do after imputation: 1 is all of it, 0 nothing."
    ),
    reference="Pearson's r between the upper triangles of the gene–gene correlation matrices",
)
def correlation_pearson(pair_correlations: Pairs, pair_correlations_true: Pairs) -> float:
    """Agreement of gene-gene correlations with the true ones; 0 if there are none.

    Pairs with a gene whose truth is constant are left out.
    """
    x, true = _defined(pair_correlations, pair_correlations_true)
    if len(true) < 2 or np.ptp(true) == 0:
        return math.nan
    return float(np.corrcoef(x, true)[0, 1]) if np.ptp(x) > 0 else 0.0


@correlation(
    title="Gene–gene ρ kept",
    meaning="Whether pairs of genes rank by how closely they go together as they truly do.",
    reference="Spearman's ρ between the upper triangles of the gene–gene correlation matrices",
)
def correlation_spearman(pair_correlations: Pairs, pair_correlations_true: Pairs) -> float:
    """Agreement of the order of gene-gene correlations with the true order; as the last."""
    from scipy.stats import rankdata

    x, true = _defined(pair_correlations, pair_correlations_true)
    return float(correlation_pearson(rankdata(x), rankdata(true)))


@metric(
    title="Gene–gene RMSD",
    meaning="How far correlations of pairs of genes are from the true ones.",
    direction="min",
    range=(0, 2),
    reference="root mean squared difference of the gene–gene correlation matrices' upper triangles",
)
def correlation_rmsd(pair_correlations: Pairs, pair_correlations_true: Pairs) -> float:
    """Distance of gene-gene correlations from the true ones, which are mostly near 0."""
    x, true = _defined(pair_correlations, pair_correlations_true)
    return float(np.sqrt(np.square(x - true).mean())) if len(true) else math.nan


@share(
    title="False correlation",
    meaning="How strongly genes seem to go together where none do: whatever is found is made up.",
    direction="min",
    reference="mean |r| over pairs of permuted genes; Andrews and Hemberg 2018, F1000Res 7:1740",
)
def false_correlation(pair_correlations: Pairs) -> float:
    """Mean absolute correlation of genes that have none; √(2 / (π n)) by chance in n cells."""
    return float(np.abs(pair_correlations).mean()) if len(pair_correlations) else math.nan


@share(
    title="False gene pairs",
    direction="min",
    reference="share of pairs with r ≠ 0 at a false discovery rate of 5 % (t test of Pearson's r)",
)
def false_pairs(pair_correlations: Pairs, observed_counts: Matrix) -> float:
    """Share of pairs of genes without correlation that a user would report as correlated."""
    from scipy.stats import false_discovery_control
    from scipy.stats import t as student

    freedom = observed_counts.shape[0] - 2
    if not len(pair_correlations) or freedom < 1:
        return math.nan
    r = np.clip(pair_correlations.astype(np.float64), -1, 1)
    with np.errstate(divide="ignore"):
        scores = np.abs(r) * np.sqrt(freedom / (1 - r**2))
    adjusted = false_discovery_control(2 * student.sf(scores, freedom))
    return float((adjusted <= FALSE_DISCOVERY_RATE).mean())


def _defined(x: Pairs, true: Pairs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    kept = ~np.isnan(true)
    return x[kept].astype(np.float64), true[kept].astype(np.float64)
