"""Whether the distribution of each gene over the cells is as in truth or in a reference."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench.metrics.metric import correlation, loss, share

Genes = NDArray[np.floating[Any]]
TypesGenes = NDArray[np.floating[Any]]
Bins = NDArray[np.integer[Any]]


@share(
    title="Gini MSE",
    meaning=(
        "Whether each gene is as unevenly spread over cells as an independent measurement says "
        "(squared error)."
    ),
    direction="min",
    reference="mean squared error of the genes' Gini coefficients; cnnImpute, Methods",
)
def gini_mse(gini_found: Genes, gini_true: Genes) -> float:
    """Mean squared error of Gini coefficients over genes that have a reference.

    A gene that the imputation leaves without any expression counts as perfectly equal, 0.
    """
    found, true = _with_reference(gini_found, gini_true)
    return float(np.square(found - true).mean()) if len(true) else math.nan


@correlation(
    title="Gini Pearson r",
    meaning=(
        "Whether genes rank by unevenness over cells as an independent measurement says "
        "(correlation)."
    ),
    reference="Pearson's r of the genes' Gini coefficients; cnnImpute, Methods",
)
def gini_pearson(gini_found: Genes, gini_true: Genes) -> float:
    """Correlation of Gini coefficients over genes; 0 if all genes come out alike."""
    found, true = _with_reference(gini_found, gini_true)
    if len(true) < 2 or np.ptp(true) == 0:
        return math.nan
    return float(np.corrcoef(found, true)[0, 1]) if np.ptp(found) > 0 else 0.0


@loss(
    title="CV RMSD",
    meaning="Whether genes vary within a cell type as much as they truly do.",
    reference="root mean squared difference of the coefficients of variation within types",
)
def cv_rmsd(cv_found: TypesGenes, cv_true: TypesGenes) -> float:
    """Distance of the variation within types from the true one, over genes seen in the type."""
    defined = ~(np.isnan(cv_found) | np.isnan(cv_true))
    if not defined.any():
        return math.nan
    return float(np.sqrt(np.square(cv_found[defined] - cv_true[defined]).mean()))


@loss(
    title="CV within types",
    reference="median coefficient of variation within types; AutoImpute, Variance stabilization",
    bound="none",
)
def cv_within(cv_found: TypesGenes) -> float:
    """Median over types and genes of the variation within a type; less is not always better.

    As AutoImpute says itself, a method that levels all cells scores best: read it beside `cv-rmsd`
    and the controls.
    """
    defined = cv_found[~np.isnan(cv_found)]
    return float(np.median(defined)) if defined.size else math.nan


@share(
    title="Zeros RMSD",
    direction="min",
    reference="root mean squared difference of the share of zeros per expression bin",
)
def zeros_rmsd(zeros_found: Genes, zeros_true: Genes, expression_bin: Bins) -> float:
    """Distance of the share of zeros from the true one, over bins of genes by expression."""
    bins = np.unique(expression_bin)
    gaps = [np.mean((zeros_found - zeros_true)[expression_bin == number]) for number in bins]
    return float(np.sqrt(np.square(gaps).mean())) if gaps else math.nan


@share(
    title="Zeros kept, silent genes",
    reference="share of zeros among genes silent in bulk; AutoImpute, Figure 2",
    bound="none",
)
def zeros_silent(zeros_found: Genes, expression_bin: Bins) -> float:
    """Share of zeros among genes that bulk says are silent: these should stay zero."""
    return _share(zeros_found, expression_bin == 0)


@share(
    title="Zeros, lowest bin",
    reference="share of zeros in the lowest bin of expressed genes; AutoImpute, Figure 2",
    bound="none",
)
def zeros_low(zeros_found: Genes, expression_bin: Bins) -> float:
    """Share of zeros among the genes of the lowest expression, which should mostly stay zero."""
    return _share(zeros_found, expression_bin == 1)


@share(
    title="Zeros, highest bin",
    direction="min",
    reference="share of zeros in the highest bin of genes; AutoImpute, Figure 2",
    bound="none",
)
def zeros_high(zeros_found: Genes, expression_bin: Bins) -> float:
    """Share of zeros among the genes of the highest expression, most of which are dropouts."""
    return _share(zeros_found, expression_bin == expression_bin.max(initial=0))


def _share(zeros: Genes, chosen: NDArray[np.bool_]) -> float:
    return float(zeros[chosen].mean()) if chosen.any() else math.nan


def _with_reference(found: Genes, true: Genes) -> tuple[Genes, Genes]:
    kept = ~np.isnan(true)
    return np.nan_to_num(found[kept]), true[kept]
