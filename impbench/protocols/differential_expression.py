"""Ask whether the genes that differ between cell types are found in the imputed cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from impbench.data.dataset import Dataset
from impbench.imputer import Imputed
from impbench.parameters import parameter
from impbench.protocols.de_tests import adjusted, compare, log_fold_changes, mean_by_group
from impbench.protocols.profiles import Profiles, bulk_reference, simulated_profiles
from impbench.protocols.protocol import LazyEvidence, LibraryProtocol, Problem, observe

SIGNIFICANT = 0.05
"""Adjusted p value up to which cnnImpute keeps a gene."""


@dataclass(frozen=True)
class DifferentialExpression(LibraryProtocol):
    """Test each cell type against all other cells, and compare genes found with those that differ.

    What differs is known from the simulator's factors, or from bulk expression of every type,
    where the genes with the largest fold changes count as different. The types are the true ones:
    the question is what the imputation does to genes, not to clusters.
    """

    name: ClassVar[str] = "differential-expression"
    summary: ClassVar[str] = "Recovery of the genes that differ between cell types"
    reference: ClassVar[str] = "cnnImpute, Differential expression analysis"
    meaning: ClassVar[str] = (
        "Genes are tested for differences between the cell types after imputation. Are those "
        "found that truly differ, and by how much?"
    )
    purpose: ClassVar[str] = "differential expression"
    offers: ClassVar[Mapping[str, str]] = {
        "de_true": "whether a gene differs between a type and the other cells, (types, genes)",
        "lfc_true": "true log2 fold change of a type against the other cells, (types, genes)",
        "top_true": "sign of the true change for the largest, else 0, (types, genes)",
        "de_scores": "how strongly a gene was found to differ, 0 or more, (types, genes)",
        "lfc_found": "log2 fold change found in the imputation, (types, genes)",
        "top_found": "sign of the change found for the first ranks, else 0, (types, genes)",
    }

    test: Literal["wilcoxon", "t-test"] = parameter(
        "wilcoxon", "Wilcoxon's rank-sum test, corrected for ties, or Welch's t-test."
    )
    ranking: Literal["test", "fold-change"] = parameter(
        "test",
        "Rank genes by the size of the test's score, or as cnnImpute: those with adjusted p ≤ 0.05 "
        "by the size of their log fold change, all others last.",
    )
    n_reference: int = parameter(
        300, "Length of the reference's top list; of bulk, all genes that count as different.",
        min=1,
    )  # fmt: skip
    n_found: int = parameter(900, "Length of the imputation's top list.", min=1)

    def obstacle(self, dataset: Dataset) -> str | None:
        """Labels of two types and a reference for each are needed."""
        labels = dataset.labels
        if labels is None:
            return f"{dataset.name} has no cell-type labels; give them with --label-key"
        types, sizes = np.unique(labels, return_counts=True)
        if len(types) < 2:
            return f"every cell of {dataset.name} is labelled {str(types[0])!r}; two are needed"
        if sizes.min() < 2 or dataset.n_cells - sizes.max() < 2:
            rare = str(types[sizes.argmin()])
            return f"{dataset.name} has one cell of type {rare!r}; a test needs two"
        profiles = _profiles(dataset)
        if profiles is None:
            return (
                f"{dataset.name} is not simulated and has no bulk expression of all its cell "
                "types; give it as a data frame in varm['bulk'], one column per type"
            )
        if profiles.differs is None and self.n_reference >= dataset.n_genes:
            return (
                f"{dataset.name} has {dataset.n_genes} genes, {self.n_reference} of which would "
                "count as different in bulk; lower n_reference"
            )
        if profiles.differs is not None and not profiles.differs.any():
            return f"no gene of {dataset.name} differs between its cell types"
        return None

    def pose(self, dataset: Dataset, seed: int) -> Problem:
        """Show the observed counts without labels; nothing here is random."""
        observed, hidden, convention = observe(dataset, self.library)
        profiles = _profiles(dataset)
        assert profiles is not None, "obstacle() turns datasets without reference away"
        changes = log_fold_changes(profiles.means)
        size = np.abs(changes)
        if profiles.differs is None:
            differs = _top(size, changes, self.n_reference) != 0
            source = f"the {self.n_reference} genes with the largest fold changes in bulk"
        else:
            differs = profiles.differs
            size = np.where(differs, size, 0)
            source = "genes whose simulated factor differs"
        extra = {
            "de_true": differs,
            "lfc_true": changes,
            "top_true": _top(size, changes, self.n_reference),
        }
        metrics = ["de-auc", "lfc-pearson", "lfc-mse", "lfc-ned"]
        conventions = [
            convention,
            f"each type against all other cells by {self.test}; different: {source}",
            "fold changes are log2((1 + mean) / (1 + mean of the others)) of normalised counts",
        ]
        if self.n_found < dataset.n_genes:
            metrics.append("de-overlap")
            by_chance = self.n_found / dataset.n_genes
            conventions.append(
                f"overlap of the reference's top {self.n_reference} with the imputation's top "
                f"{self.n_found} of {dataset.n_genes} genes: half of {by_chance:.2f} by chance"
            )
        else:
            conventions.append(
                f"no overlap of top lists: the top {self.n_found} are all {dataset.n_genes} genes; "
                "lower n_found"
            )
        return Problem(observed, replace(hidden, extra=extra), tuple(metrics), tuple(conventions))

    def evidence(self, problem: Problem, imputed: Imputed, seed: int) -> LazyEvidence:
        """Return ``de_scores``, ``lfc_found`` and ``top_found``, (types, genes), each once."""
        labels = problem.hidden.types()

        @cache
        def values() -> NDArray[np.float32]:
            return imputed.lognorm(problem.observed)

        @cache
        def changes() -> NDArray[np.float64]:
            return log_fold_changes(mean_by_group(values(), labels))

        @cache
        def scores() -> NDArray[np.float64]:
            tested = compare(values(), labels, self.test)
            if self.ranking == "test":
                return np.abs(tested.scores)
            kept = adjusted(tested.p_values) <= SIGNIFICANT
            return np.where(kept, np.abs(changes()), 0)

        return {
            "de_scores": scores,
            "lfc_found": changes,
            "top_found": lambda: _top(scores(), changes(), self.n_found),
        }


def _profiles(dataset: Dataset) -> Profiles | None:
    return simulated_profiles(dataset) or bulk_reference(dataset)


def _top(size: NDArray[np.float64], changes: NDArray[np.float64], n: int) -> NDArray[np.int8]:
    """Return the sign of the change for the `n` genes largest in `size` above 0, else 0.

    (types, genes); of equal genes the first come first.
    """
    places = np.argsort(np.argsort(-size, axis=1, kind="stable"), axis=1, kind="stable")
    return np.where((places < n) & (size > 0), np.sign(changes), 0).astype(np.int8)
