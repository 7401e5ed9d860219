"""Ask whether the rarest cell type is still found, and whether types keep their marker genes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from impbench.data.dataset import Dataset
from impbench.imputer import Imputed
from impbench.metrics.rare import match_clusters
from impbench.parameters import parameter
from impbench.protocols.clustering import Clustering
from impbench.protocols.de_tests import compare
from impbench.protocols.protocol import LazyEvidence, Problem


@dataclass(frozen=True)
class RareTypes(Clustering):
    """Cluster as `Clustering` does, and look for the rarest type among the clusters.

    Markers are the genes with the highest test scores of a type or cluster against all other cells.
    The reference's are those of the true types in the true expression, or in the observed one where
    there is no truth. scMAE compares them with the markers of clusters in the observed expression,
    each cluster standing for the type it is matched to; besides, where there is a truth, the
    markers of the true types in imputed expression show what the imputation does to genes alone.
    """

    name: ClassVar[str] = "rare-types"
    summary: ClassVar[str] = (
        "The rarest cell type among the clusters, and marker genes of all types"
    )
    reference: ClassVar[str] = "scMAE, section 3.3"
    meaning: ClassVar[str] = (
        "Does the rarest cell type stay a group of its own with its own markers, or is it "
        "smoothed into the others?"
    )
    purpose: ClassVar[str] = "rare types"
    offers: ClassVar[Mapping[str, str]] = {
        **Clustering.offers,
        "rare_type": "name of the rarest cell type, (1,)",
        "markers_true": "first genes of each type's ranking in the reference, (types, first)",
        "markers_found": "the same in the imputation, true types, (types, first)",
        "markers_clusters": "the same in each type's cluster, -1 if none, (types, first)",
    }

    test: Literal["wilcoxon", "t-test"] = parameter(
        "wilcoxon", "Wilcoxon's rank-sum test, corrected for ties, or Welch's t-test."
    )
    n_markers: int = parameter(50, "Marker genes per type.", min=1)

    def obstacle(self, dataset: Dataset) -> str | None:
        """As for clustering; besides, the rarest type needs two cells."""
        obstacle = super().obstacle(dataset)
        if obstacle is not None:
            return obstacle
        types, sizes = np.unique(np.asarray(dataset.labels), return_counts=True)
        if sizes.min() < 2:
            rare = str(types[sizes.argmin()])
            return f"{dataset.name} has one cell of type {rare!r}; markers need two"
        return None

    def pose(self, dataset: Dataset, seed: int) -> Problem:
        """Show the observed counts without labels; nothing here is random."""
        problem = super().pose(dataset, seed)
        labels, truth = problem.hidden.types(), problem.hidden.truth()
        types, sizes = np.unique(labels, return_counts=True)
        rare = types[sizes.argmin()]
        metrics = ["rare-f1", "rare-recall"]
        extra: dict[str, Any] = {"rare_type": np.array([rare])}
        conventions = [
            *problem.conventions,
            f"the rarest type, {rare}, is {sizes.min()} of {dataset.n_cells} cells",
            "each type stands for one cluster at most, such that the sum of F1 is greatest",
        ]
        if 2 * self.n_markers <= dataset.n_genes:
            reference = problem.observed.lognorm if truth is None else np.asarray(truth.values)
            extra["markers_true"] = self._markers(reference, labels, types)
            metrics += ["rare-markers", "markers-clusters"]
            # Against observed expression, changing nothing would be best.
            metrics += [] if truth is None else ["markers-imputed"]
            conventions.append(
                f"markers: the top {self.n_markers} genes by {self.test}, of the reference in "
                f"{'observed' if truth is None else 'true'} expression"
            )
        else:
            conventions.append(
                f"no markers: the top {self.n_markers} are more than half of {dataset.n_genes} "
                "genes; lower n_markers"
            )
        if "batch-asw" in problem.metrics:
            metrics.append("batch-asw")
        return replace(
            problem,
            hidden=replace(problem.hidden, extra=extra),
            metrics=tuple(metrics),
            conventions=tuple(conventions),
        )

    def evidence(self, problem: Problem, imputed: Imputed, seed: int) -> LazyEvidence:
        """Return as `Clustering` does, and ``markers_found`` and ``markers_clusters``."""
        labels = problem.hidden.types()
        types = np.unique(labels)
        offers = super().evidence(problem, imputed, seed)

        @cache
        def of_clusters() -> NDArray[np.intp]:
            clusters = offers["clusters"]()
            match = match_clusters(labels, clusters)
            wanted = np.array([match.get(str(name), -1) for name in types])
            return self._markers(problem.observed.lognorm, clusters, wanted)

        return {
            **offers,
            "markers_found": lambda: self._markers(
                imputed.lognorm(problem.observed), labels, types
            ),
            "markers_clusters": of_clusters,
        }

    def _markers(
        self, expression: NDArray[np.floating[Any]], groups: NDArray[Any], wanted: NDArray[Any]
    ) -> NDArray[np.intp]:
        """Return the first genes of each wanted group, (wanted, n_markers); -1 where untested."""
        tested = compare(expression, groups, self.test)
        first = np.argsort(-tested.scores, axis=1, kind="stable")[:, : self.n_markers]
        markers = np.full((len(wanted), self.n_markers), -1, dtype=np.intp)
        for row, group in enumerate(wanted):
            found = np.flatnonzero(tested.groups == group)
            if len(found):
                markers[row] = first[found[0]]
        return markers
