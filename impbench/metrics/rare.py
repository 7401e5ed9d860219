"""Whether the rarest cell type is found among the clusters, and types by their marker genes.

Each cell type stands for one cluster at most and each cluster for one type: of all such assignments
the one with the greatest sum of F1 over types, which counts a rare type as much as a common one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench.metrics.metric import share

Groups = NDArray[Any]
Markers = NDArray[np.integer[Any]]


def match_clusters(labels: Groups, clusters: Groups) -> dict[str, Any]:
    """Return the cluster of every type that has one.

    F1 of a type and a cluster is 2 · cells in both / (cells of the type + cells of the cluster);
    the assignment is found by the Hungarian method. A type without a cell in the cluster left for
    it has none.
    """
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics.cluster import contingency_matrix

    types, names = np.unique(labels), np.unique(clusters)
    both = contingency_matrix(labels, clusters)
    f1 = 2 * both / (both.sum(axis=1, keepdims=True) + both.sum(axis=0))
    rows, columns = linear_sum_assignment(f1, maximize=True)
    pairs = zip(rows, columns, strict=True)
    return {str(types[row]): names[column] for row, column in pairs if both[row, column] > 0}


@share(
    title="Rare type F1",
    meaning=(
        "Whether the rarest cell type gets a group of its own, whole and unmixed: 1 is fully, 0 "
        "not at all."
    ),
    reference="2 precision · recall / (precision + recall) of the rarest type's cluster",
)
def rare_f1(labels: Groups, clusters: Groups, rare_type: Groups) -> float:
    """F1 of the rarest cell type and the cluster matched to it; 0 if there is none."""
    in_both, in_type, in_cluster = _rare(labels, clusters, rare_type)
    return 2 * in_both / (in_type + in_cluster)


@share(
    title="Rare type recall",
    reference="share of the rarest type's cells that are in its cluster",
)
def rare_recall(labels: Groups, clusters: Groups, rare_type: Groups) -> float:
    """Share of the rarest type's cells in the cluster matched to it; 0 if there is none."""
    in_both, in_type, _ = _rare(labels, clusters, rare_type)
    return in_both / in_type


@share(
    title="Rare type's markers",
    reference="overlap of the top 50 DE genes of cluster and type; scMAE, section 3.3, Figure 3",
)
def rare_markers(
    markers_clusters: Markers, markers_true: Markers, labels: Groups, rare_type: Groups
) -> float:
    """Share of the rarest type's markers that its cluster has as well, in observed expression."""
    row = int(np.searchsorted(np.unique(labels), rare_type[0]))
    return _overlap(markers_clusters[[row]], markers_true[[row]])


@share(
    "markers-clusters",
    title="Markers, clusters",
    reference="overlap of the top 50 DE genes of cluster and type; scMAE, section 3.3, Figure 3",
)
def markers_of_clusters(markers_clusters: Markers, markers_true: Markers) -> float:
    """Mean over types of the share of markers that the type's cluster has as well."""
    return _overlap(markers_clusters, markers_true)


@share(
    title="Markers, imputed",
    reference="overlap of the top 50 DE genes of types in imputed and reference expression",
)
def markers_imputed(markers_found: Markers, markers_true: Markers) -> float:
    """Mean over true types of the share of markers that imputed expression gives as well."""
    return _overlap(markers_found, markers_true)


def _rare(labels: Groups, clusters: Groups, rare_type: Groups) -> tuple[int, int, int]:
    """Count the cells in the rarest type and its cluster, in the type, and in the cluster."""
    inside = labels == rare_type[0]
    cluster = match_clusters(labels, clusters).get(str(rare_type[0]))
    if cluster is None:
        return 0, int(inside.sum()), 0
    there = clusters == cluster
    return int((inside & there).sum()), int(inside.sum()), int(there.sum())


def _overlap(found: Markers, true: Markers) -> float:
    """Mean over rows of the share of `true` in `found`; a row of -1 shares nothing."""
    shares = [np.isin(wanted, got).mean() for got, wanted in zip(found, true, strict=True)]
    return float(np.mean(shares))
