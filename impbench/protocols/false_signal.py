"""Ask how much a method makes up where there is nothing to find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from impbench.data.dataset import Dataset
from impbench.imputer import Imputed
from impbench.parameters import parameter
from impbench.protocols.components import principal_components
from impbench.protocols.de_tests import compare
from impbench.protocols.gene_pairs import pair_correlations, sample
from impbench.protocols.independent_genes import permute_genes, relative_depth
from impbench.protocols.partition import leiden_at
from impbench.protocols.protocol import Hidden, LazyEvidence, Problem, Protocol, observe


@dataclass(frozen=True)
class FalseSignal(Protocol):
    """Permute every gene's counts across cells, and count what is found in the imputation.

    Genes of the data shown are independent given the library size (see `permute_genes`): there are
    no cell types, no correlations and no differential expression to find. Every score is 0 for a
    method that makes nothing up; what chance alone gives is the score of `no-imputation`. There is
    no truth in this question, and no oracle. With a `share` below 1 the other genes stay as they
    are, cell types and all, and the question is whether their signal spills over.
    """

    name: ClassVar[str] = "false-signal"
    summary: ClassVar[str] = "Correlations, clusters and DE genes made up where there are none"
    reference: ClassVar[str] = "Andrews and Hemberg 2018, F1000Research 7:1740"
    meaning: ClassVar[str] = (
        "The counts are shuffled so that there are no cell types and no related genes. Whatever "
        "is found after imputation is made up."
    )
    purpose: ClassVar[str] = "no false signal"
    offers: ClassVar[Mapping[str, str]] = {
        "paired_genes": "numbers of the genes that are paired, (paired,)",
        "pair_correlations": "Pearson r of pairs of genes in the imputation, (pairs,)",
        "components": "principal components of the imputation, (cells, components)",
        "clusters": "clusters found in the imputation, (cells,)",
        "null_genes": "numbers of the genes without signal, (null genes,)",
        "group_p_values": "p values of genes without signal between clusters, (groups, null genes)",
        "random_p_values": "the same between two random halves of the cells, (2, null genes)",
        "type_p_values": "the same between the true cell types, (types, null genes)",
    }

    share: float = parameter(1.0, "Share of the genes that are permuted.", min=0.01, max=1.0)
    depth: Literal["thinned", "equal"] = parameter(
        "thinned",
        "Thin the permuted counts to the cells' library sizes, or leave the cells equally deep.",
    )
    resolution: float = parameter(0.5, "Resolution at which Leiden looks for clusters.", min=0.0)
    test: Literal["wilcoxon", "t-test"] = parameter(
        "wilcoxon", "Wilcoxon's rank-sum test, corrected for ties, or Welch's t-test."
    )
    max_genes: int = parameter(
        2000, "Pairs are taken of at most this many genes, drawn at random.", min=3
    )
    max_cells: int = parameter(
        5000, "Clusters and tests are made of at most this many cells, drawn at random.", min=10
    )

    def obstacle(self, dataset: Dataset) -> str | None:
        """Thinning needs whole counts; correlations need three permuted genes and cells."""
        if self.depth == "thinned" and not dataset.counts_are_raw:
            return (
                f"the values of {dataset.name} are normalised, no whole counts to thin; "
                "use false-signal[depth=equal]"
            )
        if round(self.share * dataset.n_genes) < 3 or dataset.n_cells < 10:
            return (
                f"{dataset.name} has {dataset.n_cells} cells and {dataset.n_genes} genes; ten "
                "cells and three permuted genes are needed"
            )
        return None

    def pose(self, dataset: Dataset, seed: int) -> Problem:
        """Draw the permuted genes and their permutations from `seed`."""
        n_permuted = round(self.share * dataset.n_genes)
        genes = sample(dataset.n_genes, n_permuted, seed)
        depth = relative_depth(dataset.library_size) if self.depth == "thinned" else None
        shown = permute_genes(dataset, genes, depth, seed)
        observed, _, convention = observe(shown, "own")
        paired = genes[sample(n_permuted, self.max_genes, seed)]
        conventions = [
            convention,
            f"the counts of {n_permuted} of {dataset.n_genes} genes permuted across cells"
            + (", then thinned to the cells' library sizes" if depth is not None else ""),
        ]
        if len(paired) < n_permuted:
            conventions.append(f"correlations of {len(paired)} genes drawn from these")
        metrics = ["false-correlation", "false-pairs"]
        extra: dict[str, Any] = {"paired_genes": paired, "null_genes": genes}
        if self.share == 1:
            metrics += ["false-clusters", "false-silhouette", "false-de", "false-de-random"]
            conventions.append(
                f"clusters by Leiden at resolution {self.resolution:g} on max{{2, min(50, N, G)}} "
                f"principal components; genes that differ between them by {self.test}"
            )
        elif (dataset.n_groups or 0) > 1:
            metrics.insert(0, "false-de-types")
            conventions.append(
                f"permuted genes that differ between the true cell types by {self.test}"
            )
        if dataset.n_cells > self.max_cells:
            conventions.append(
                f"clusters and tests on {self.max_cells} cells drawn from {dataset.n_cells}"
            )
        hidden = Hidden(labels=dataset.labels, extra=extra)
        return Problem(observed, hidden, tuple(metrics), tuple(conventions))

    def evidence(self, problem: Problem, imputed: Imputed, seed: int) -> LazyEvidence:
        """Return correlations, components, clusters and p values, each computed once."""
        paired, null_genes = (
            np.asarray(problem.hidden.extra[name]) for name in ("paired_genes", "null_genes")
        )
        # The seed of the draw is fixed: every method is scored on the same cells.
        cells = sample(problem.observed.n_cells, self.max_cells, seed=0)

        @cache
        def values() -> NDArray[np.float32]:
            return imputed.lognorm(problem.observed)

        @cache
        def components() -> NDArray[np.float64]:
            return principal_components(values()[cells])

        @cache
        def clusters() -> NDArray[np.int64]:
            return leiden_at(components(), self.resolution, seed)

        def p_values(groups: NDArray[Any]) -> NDArray[np.float64]:
            chosen = values()[np.ix_(cells, null_genes)]
            return compare(chosen, groups, self.test).p_values

        def types() -> NDArray[np.float64]:
            labels = problem.hidden.types()
            return p_values(labels[cells])

        def halves() -> NDArray[np.float64]:
            return p_values(np.random.default_rng(seed).permutation(len(cells)) % 2)

        return {
            "pair_correlations": lambda: np.nan_to_num(pair_correlations(values(), paired)),
            "components": components,
            "clusters": clusters,
            "group_p_values": lambda: p_values(clusters()),
            "random_p_values": halves,
            "type_p_values": types,
        }
