"""What a method makes up in data whose genes are independent given the library size.

All scores are 0 for a method that makes nothing up. Those of correlations stand with their kin in
`impbench.metrics.gene_correlation`. Clusters and tests may be of a sample of the cells; the
protocol says so.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench.metrics.metric import loss, share
from impbench.metrics.silhouette import silhouettes

FALSE_DISCOVERY_RATE = 0.05
REFERENCE = "share of genes with adjusted p ≤ 0.05; Andrews and Hemberg 2018, F1000Res 7:1740"


@loss(
    title="False clusters",
    reference="Leiden clusters beyond the first, on permuted genes",
)
def false_clusters(clusters: NDArray[Any]) -> float:
    """Clusters beyond the first that Leiden finds at a fixed resolution where there is one."""
    return float(len(np.unique(clusters)) - 1)


@share(
    title="False silhouette",
    direction="min",
    reference="Rousseeuw (1987) on the clusters found in permuted genes, at least 0",
)
def false_silhouette(components: NDArray[np.floating[Any]], clusters: NDArray[Any]) -> float:
    """How well the made-up clusters seem to lie apart: their average silhouette width, or 0."""
    (width,) = silhouettes(components, [clusters])
    return 0.0 if math.isnan(width) else max(0.0, width)


@share(title="False DE genes", direction="min", reference=REFERENCE)
def false_de(group_p_values: NDArray[np.floating[Any]]) -> float:
    """Share of genes that seem to differ between the clusters found; 0 if there is one cluster."""
    return _discovered(group_p_values)


@share(
    title="False DE, random halves",
    direction="min",
    reference=REFERENCE,
)
def false_de_random(random_p_values: NDArray[np.floating[Any]]) -> float:
    """Share of genes that seem to differ between two random halves of the cells."""
    return _discovered(random_p_values)


@share(
    title="False DE, cell types",
    direction="min",
    reference=REFERENCE,
)
def false_de_types(type_p_values: NDArray[np.floating[Any]]) -> float:
    """Share of the permuted genes that seem to differ between the true cell types."""
    return _discovered(type_p_values)


def _discovered(p_values: NDArray[np.floating[Any]]) -> float:
    """Share of genes found in any group at a false discovery rate of 5 % within the group."""
    from scipy.stats import false_discovery_control

    if not p_values.size:
        return 0.0
    adjusted = false_discovery_control(p_values, axis=1)
    return float((adjusted <= FALSE_DISCOVERY_RATE).any(axis=0).mean())
