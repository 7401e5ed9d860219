"""Ask whether each gene's spread over cells, and its zeros, are as they should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from impbench.data.dataset import Dataset
from impbench.data.known_columns import GINI, technical
from impbench.imputer import Imputed
from impbench.parameters import parameter
from impbench.protocols.gene_spread import expression_bins, gini, variation_by_type, zero_share
from impbench.protocols.profiles import bulk_reference
from impbench.protocols.protocol import LazyEvidence, LibraryProtocol, Problem, observe
from impbench.scale import normalise, size_factors

_OBSERVED = "mean observed expression"


@dataclass(frozen=True)
class Distribution(LibraryProtocol):
    """Compare the distribution of every gene over the cells with the truth or with a reference.

    Three views, each asked where the data allow it: the Gini coefficient of a gene against truth or
    a column ``reference_gini`` (such as from RNA FISH); the coefficient of variation within a cell
    type; the share of zeros among genes of similar expression in truth, bulk or the observed mean.
    All are taken of normalised counts, 2^x - 1 and at least 0.
    """

    name: ClassVar[str] = "distribution"
    summary: ClassVar[str] = "Inequality, variation and zeros of each gene over the cells"
    reference: ClassVar[str] = "cnnImpute, equation for GINI; AutoImpute, Figures 2 and 4"
    meaning: ClassVar[str] = (
        "Does each gene spread over the cells, vary and stay at zero as it truly does, or does "
        "imputation flatten it?"
    )
    purpose: ClassVar[str] = "distribution"
    offers: ClassVar[Mapping[str, str]] = {
        "gini_true": "Gini coefficient of each gene in the reference, NaN without one, (genes,)",
        "gini_found": "Gini coefficient of each gene's imputed normalised counts, (genes,)",
        "cv_true": "coefficient of variation within a type, in truth, or NaN, (types, genes)",
        "cv_found": "the same in the imputation, NaN where nothing is observed, (types, genes)",
        "zeros_true": "share of the cells in which a gene is zero, in truth, (genes,)",
        "zeros_found": "the same in the imputation, (genes,)",
        "expression_bin": "bin of a gene by expression, 0 where it is silent, (genes,)",
    }

    zero: float = parameter(
        0.5,
        "A normalised count up to this is a zero: 0.5 is nearer to none than to one, 0 as "
        "AutoImpute counts them.",
        min=0.0,
    )
    bins: int = parameter(10, "Bins of genes by expression, those silent in bulk apart.", min=2)

    def obstacle(self, dataset: Dataset) -> str | None:
        """Every bin needs a gene."""
        if dataset.n_genes < self.bins:
            return f"{dataset.name} has {dataset.n_genes} genes for {self.bins} bins; lower bins"
        return None

    def pose(self, dataset: Dataset, seed: int) -> Problem:
        """Show the observed counts; nothing here is random."""
        dataset, left_out = _without_controls(dataset)
        observed, hidden, convention = observe(dataset, self.library)
        conventions = [convention, *left_out, f"normalised counts up to {self.zero:g} are zeros"]
        metrics: list[str] = []
        extra: dict[str, Any] = {}
        if (truth := hidden.truth()) is not None:
            true = np.asarray(truth.values)
            extra["gini_true"], extra["zeros_true"] = gini(true), zero_share(true, self.zero)
            metrics += ["gini-mse", "gini-pearson", "zeros-rmsd"]
            conventions.append("Gini coefficients against those of the true counts")
            if dataset.labels is not None:
                extra["cv_true"] = variation_by_type(true, dataset.labels)
                metrics.append("cv-rmsd")
        elif GINI in dataset.genes:
            extra["gini_true"] = dataset.genes[GINI].to_numpy(dtype=np.float64)
            metrics += ["gini-mse", "gini-pearson"]
            known = int(np.isfinite(extra["gini_true"]).sum())
            conventions.append(f"Gini coefficients of {known} genes against the data's reference")
        level, source = self._expression(dataset)
        extra["expression_bin"] = expression_bins(level, self.bins)
        conventions.append(
            f"genes in {self.bins} bins of equal size by {source}, those without any apart"
        )
        # Levels that were observed say of no gene that it is silent.
        if (level == 0).any() and source != _OBSERVED:
            metrics.append("zeros-silent")
        if dataset.labels is not None:
            metrics.append("cv-within")
            conventions.append("variation within the true cell types, of genes seen in the type")
        if truth is None:
            metrics += ["zeros-low", "zeros-high"]
        return Problem(
            observed,
            replace(hidden, extra=extra),
            metrics=tuple(metrics),
            conventions=tuple(conventions),
        )

    def evidence(self, problem: Problem, imputed: Imputed, seed: int) -> LazyEvidence:
        """Return ``gini_found``, ``zeros_found`` and ``cv_found``, each computed once."""

        @cache
        def values() -> NDArray[np.float32]:
            return imputed.lognorm(problem.observed)

        @cache
        def variation() -> NDArray[np.float64]:
            labels = problem.hidden.types()
            seen = variation_by_type(problem.observed.lognorm, labels)
            found = np.nan_to_num(variation_by_type(values(), labels))
            # The same genes for every method; one it makes 0 everywhere does not vary.
            return np.where(np.isnan(seen), np.nan, found)

        return {
            "gini_found": lambda: gini(values()),
            "zeros_found": lambda: zero_share(values(), self.zero),
            "cv_found": variation,
        }

    def _expression(self, dataset: Dataset) -> tuple[NDArray[np.float64], str]:
        """Return each gene's expression for the bins, and what it is."""
        if dataset.true_counts is not None:
            library = dataset.true_library_size
            assert library is not None, "true counts have library sizes"
            true = normalise(dataset.true_counts, size_factors(library))
            return true.mean(axis=0, dtype=np.float64), "mean true expression"
        bulk = bulk_reference(dataset)
        if bulk is not None:
            assert dataset.labels is not None, "bulk is matched to labels"
            sizes = np.unique(dataset.labels, return_counts=True)[1]
            return sizes @ bulk.means[0] / sizes.sum(), "bulk expression of the cells' types"
        seen = normalise(dataset.counts, dataset.size_factors)
        return seen.mean(axis=0, dtype=np.float64), _OBSERVED


def _without_controls(dataset: Dataset) -> tuple[Dataset, tuple[str, ...]]:
    """Leave out libraries that are no cells, whose spread is noise; and say so."""
    controls = technical(dataset.cells)
    if controls is None or not controls.any():
        return dataset, ()
    said = f"{controls.sum()} technical controls are shown to nobody: they are no cells"
    return dataset.of_cells(np.flatnonzero(~controls)), (said,)
