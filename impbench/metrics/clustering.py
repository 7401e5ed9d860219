"""How well clusters found in an imputation agree with the cell types, and how far apart they lie.

Heavy libraries are imported on use, because every metric is loaded whenever impbench lists names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench.metrics.metric import correlation, metric, share

Groups = NDArray[Any]
Widths = Mapping[str, float]
"""Average silhouette widths of clusters, labels and batch; NaN where one has no meaning."""


@metric(
    title="ARI",
    meaning=(
        "How well the groups found by clustering match your cell types: 1 is a perfect match, 0 "
        "is what chance gives."
    ),
    direction="max",
    range=(-0.5, 1),
    reference="Hubert and Arabie (1985); MaskClass, section 2.8 (iii)",
)
def ari(labels: Groups, clusters: Groups) -> float:
    """Pairs of cells that clusters and cell types treat alike, adjusted for chance.

    One cluster scores 0, or 1 if there is one cell type as well.
    """
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(labels, clusters))


@share(
    title="NMI",
    meaning=(
        "How much the groups found by clustering tell about the cell types: 1 is everything, 0 "
        "nothing."
    ),
    reference="2 I(U; V) / (H(U) + H(V)); MaskClass, section 2.8 (iii)",
)
def nmi(labels: Groups, clusters: Groups) -> float:
    """Normalised mutual information of clusters and cell types, arithmetic mean of entropies.

    One cluster scores 0, or 1 if there is one cell type as well.
    """
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(labels, clusters, average_method="arithmetic"))


@share(
    title="Purity",
    meaning="Share of cells that lie in a group whose commonest cell type is theirs.",
    reference="MaskClass, section 2.8 (iii); cnnImpute, Methods",
)
def purity(labels: Groups, clusters: Groups) -> float:
    """Share of cells that belong to the commonest cell type of their cluster."""
    return float(_cells_by_cluster_and_type(labels, clusters).max(axis=1).sum() / len(labels))


@share(
    title="Entropy",
    meaning="How mixed the groups found by clustering are: 0 when each holds a single cell type.",
    direction="min",
    reference="−Σ n_ij log2(n_ij / n_i) / (N log2 l); cnnImpute, Methods",
)
def entropy(labels: Groups, clusters: Groups) -> float:
    """Mixing of cell types within clusters, 0 for pure ones; NaN when there is one cell type."""
    n = _cells_by_cluster_and_type(labels, clusters).astype(np.float64)
    n_cells, n_types = n.sum(), n.shape[1]
    if n_types < 2:
        return math.nan
    shares = n / n.sum(axis=1, keepdims=True)
    bits = n * np.log2(shares, out=np.zeros_like(n), where=n > 0)
    return float(max(0.0, -bits.sum() / (n_cells * np.log2(n_types))))


@correlation(
    title="ASW",
    meaning=(
        "How far apart the groups found by clustering lie (silhouette width), whether or not they "
        "are cell types."
    ),
    reference="Rousseeuw (1987) on the assigned clusters; MaskClass, section 2.8 (iii)",
    bound="none",
)
def asw(silhouettes: Widths) -> float:
    """Average silhouette width of the assigned clusters; says nothing about the cell types."""
    return silhouettes["clusters"]


@share(
    title="Cell-type ASW",
    meaning=(
        "How far apart the cell types lie from each other (silhouette width, brought to 0 to 1)."
    ),
    reference="(ASW + 1) / 2 on the true cell types; scMAE, equation 8",
    bound="none",
)
def celltype_asw(silhouettes: Widths) -> float:
    """Average silhouette width of the true cell types, scaled to 0 to 1."""
    return (silhouettes["labels"] + 1) / 2


@share(
    title="Batch ASW",
    meaning="How well cells of different batches mix: 1 when batches cannot be told apart.",
    reference="1 − |ASW| on the batches; scMAE, equation 9",
    bound="none",
)
def batch_asw(silhouettes: Widths) -> float:
    """Mixing of batches: one minus the absolute average silhouette width of the batches."""
    return 1 - abs(silhouettes["batch"])


def _cells_by_cluster_and_type(labels: Groups, clusters: Groups) -> NDArray[np.int64]:
    """Count the cells of every cluster (rows) and cell type (columns)."""
    from sklearn.metrics.cluster import contingency_matrix

    return np.asarray(contingency_matrix(clusters, labels), dtype=np.int64)
