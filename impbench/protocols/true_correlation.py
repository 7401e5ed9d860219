"""Ask whether genes that vary together in truth still do after imputation."""

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
from impbench.protocols.gene_pairs import pair_correlations, sample
from impbench.protocols.protocol import LazyEvidence, Problem, Protocol, observe


@dataclass(frozen=True)
class TrueCorrelation(Protocol):
    """Correlate every pair of genes over all cells in the truth and in the imputation.

    The other side of `false-signal`: a method that makes up no correlation by flattening
    everything keeps none either.
    """

    name: ClassVar[str] = "true-correlation"
    summary: ClassVar[str] = "Gene–gene correlations of the truth that are kept"
    reference: ClassVar[str] = "Andrews and Hemberg 2018, F1000Research 7:1740, turned round"
    meaning: ClassVar[str] = (
        "Do pairs of genes go together after imputation as they do in the true expression?"
    )
    purpose: ClassVar[str] = "gene–gene relations"
    offers: ClassVar[Mapping[str, str]] = {
        "paired_genes": "numbers of the genes that are paired, (paired,)",
        "pair_correlations_true": "the same in truth, (pairs,), NaN where a gene is constant",
        "pair_correlations": "Pearson r of pairs of genes in the imputation, (pairs,)",
    }

    library: Literal["own", "true"] = parameter(
        "own",
        "Divide each matrix by its own library sizes, or both by the true ones, which the imputer "
        "is then handed.",
    )
    max_genes: int = parameter(
        2000, "Pairs are taken of at most this many genes, drawn at random.", min=3
    )

    def obstacle(self, dataset: Dataset) -> str | None:
        """Only simulated data have a truth; three genes have three pairs."""
        if dataset.true_counts is None:
            return (
                f"{dataset.name} has no true counts; this question needs simulated data, such as "
                "sim_rare (--datasets)"
            )
        if dataset.n_genes < 3:
            return f"{dataset.name} has {dataset.n_genes} genes; three are needed"
        return None

    def pose(self, dataset: Dataset, seed: int) -> Problem:
        """Show the observed counts; only a draw of genes, if there are too many, is random."""
        observed, hidden, convention = observe(dataset, self.library)
        truth = hidden.truth()
        assert truth is not None, "obstacle() turns datasets without truth away"
        genes = sample(dataset.n_genes, self.max_genes, seed)
        true_pairs = pair_correlations(np.asarray(truth.values), genes)
        conventions = [convention, "Pearson's r of log2 values over all cells, all types together"]
        if len(genes) < dataset.n_genes:
            conventions.append(f"pairs of {len(genes)} genes drawn from {dataset.n_genes}")
        return Problem(
            observed,
            replace(hidden, extra={"paired_genes": genes, "pair_correlations_true": true_pairs}),
            metrics=("correlation-pearson", "correlation-spearman", "correlation-rmsd"),
            conventions=tuple(conventions),
        )

    def evidence(self, problem: Problem, imputed: Imputed, seed: int) -> LazyEvidence:
        """Return ``pair_correlations``, 0 where the imputation makes a gene constant."""

        @cache
        def pairs() -> NDArray[np.float32]:
            values = imputed.lognorm(problem.observed)
            genes = np.asarray(problem.hidden.extra["paired_genes"])
            return np.nan_to_num(pair_correlations(values, genes))

        return {"pair_correlations": pairs}
