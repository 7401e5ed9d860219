"""Control imputers: what a score is worth shows against these, none of which learns anything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from impbench import Context, Imputed, Imputer, Observed, hookimpl, large

from .components import PrincipalComponents

__all__ = ["GeneMean", "NoImputation", "NonzeroMean", "Permuted", "PrincipalComponents"]


_GENES_AT_ONCE = 32


@dataclass(frozen=True)
class NoImputation(Imputer):
    """The log-normalised observed values, as they are."""

    name = "no-imputation"
    summary = "Control: returns the observed values unchanged"
    citation = "after the no-denoising control of Open Problems (Luecken et al. 2025)"
    input_scale = "lognorm"
    keeps_observed = True
    is_control = True
    role = "nothing"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Return a copy of the observed log values."""
        return Imputed(large.copy(observed.lognorm), "lognorm")


@dataclass(frozen=True)
class GeneMean(Imputer):
    """x'_ij = mean over all cells of x_·j where the count is zero, zeros counted; else x_ij."""

    name = "gene-mean"
    summary = "Control: a zero takes its gene's mean log value over all cells"
    citation = "column-mean imputation, as in statistics"
    input_scale = "lognorm"
    keeps_observed = True
    is_control = True

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Fill every zero with the mean of its gene on the log scale, zeros included."""
        means = observed.lognorm.mean(axis=0, dtype=np.float64).astype(np.float32)
        return Imputed(_filled(observed.lognorm, means), "lognorm")


@dataclass(frozen=True)
class NonzeroMean(Imputer):
    """x'_ij = mean of the gene's non-zero x_·j where the count is zero; else x_ij.

    A gene that is zero in every cell stays zero.
    """

    name = "nonzero-mean"
    summary = "Control: a zero takes its gene's mean over its non-zero log values"
    citation = "column-mean imputation with every zero taken as missing"
    input_scale = "lognorm"
    keeps_observed = True
    is_control = True

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Fill every zero with the mean of its gene's non-zero log values."""
        values = observed.lognorm
        expressing = np.count_nonzero(values, axis=0)
        sums = values.sum(axis=0, dtype=np.float64)
        means = (sums / np.maximum(expressing, 1)).astype(np.float32)
        return Imputed(_filled(values, means), "lognorm")


@dataclass(frozen=True)
class Permuted(Imputer):
    """Each gene's log values dealt to the cells at random: its distribution, no cell identity."""

    name = "permuted"
    summary = "Control: shuffles each gene's values over the cells"
    citation = "permutation of every column on its own, as in a permutation test"
    input_scale = "lognorm"
    stochastic = True
    is_control = True

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Shuffle every gene on its own."""
        rng = np.random.default_rng(context.seed)
        expression = large.like(observed.lognorm)
        for start in range(0, observed.n_genes, _GENES_AT_ONCE):
            genes = slice(start, start + _GENES_AT_ONCE)
            # A gene's values side by side: cells at random are far apart in a large matrix.
            expression[:, genes] = rng.permuted(observed.lognorm[:, genes].T.copy(), axis=1).T
        return Imputed(expression, "lognorm")


def _filled(values: NDArray[np.float32], means: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the values, zeros replaced by the mean of their gene."""
    expression = large.copy(values)
    for cells in large.some_rows(expression, values):
        np.copyto(expression[cells], means, where=values[cells] <= 0)
    return expression


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer the controls that need nothing but the observed matrix."""
    return [NoImputation, GeneMean, NonzeroMean, Permuted, PrincipalComponents]
