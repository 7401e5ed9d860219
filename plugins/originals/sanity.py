"""Sanity: its Python package, which takes the Poisson noise out of logs and says how sure it is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, parameter
from impbench.errors import InputError


@dataclass(frozen=True)
class SanityOriginal(Imputer):
    """The package sanity-py 0.1.4 through its own function (after Breda et al. 2021).

    For every entry it gives the expected logarithm x of the gene's share of the cell's RNA, and the
    variance of x. As its README says, the count is exp(x) times the cell's library size. That is
    the median of a log-normal distribution, not its mean: ``estimate=mean`` gives exp(x + variance
    / 2). Either way the standard deviation is that of x times the count, so to first order.

    It removes the noise of sampling and knows no dropout: a zero comes back as a small count.
    Shares add up to 1 only roughly, 0.998 to 1.004 on 200 cells × 300 genes, though its README
    promises exactly 1. Cells and genes without counts, which it refuses, come back as zeros.
    """

    name = "sanity-original"
    summary = "Sanity by its own package: Bayesian logs of expression, with error bars"
    citation = (
        "Breda, Zavolan, van Nimwegen (2021), Bayesian inference of gene expression states from "
        "single-cell RNA-seq data, Nature Biotechnology 39:1008-1016"
    )
    version = "0.1.4"
    gives = ("expression", "std")
    packages = ("sanity-py",)
    requires = ("sanity-py==0.1.4",)
    requires_python = ">=3.11,<3.14"
    lockfile = "locks/sanity.txt"

    estimate: Literal["median", "mean"] = parameter(
        "median", "Of the count's log-normal distribution; median is what the README describes."
    )
    variance_method: Literal["MAP", "MARG", "EAP", "MLE"] = parameter(
        "MAP",
        "Variance of a gene: most probable, averaged over (the published method), expected, or of "
        "the largest likelihood.",
    )
    vmin: float = parameter(0.001, "Smallest variance of a gene that is tried.", min=1e-300)
    vmax: float = parameter(50.0, "Largest variance of a gene that is tried.", min=1e-300)
    nbins: int = parameter(160, "How many variances are tried, from vmin to vmax.", min=2)

    def prepare(self, context: Context) -> None:
        """Import the package, and numba with it, which looks for a folder for its cache."""
        if context.scratch is not None:
            os.environ["HOME"] = str(context.scratch)
        import pysanity  # noqa: F401

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Call ``pysanity.fit`` on genes × cells of raw counts.

        Returns
        -------
        Counts in the cell's own library size, and their standard deviations.

        Raises
        ------
        InputError
            If no cell has counts, or `vmin` is not below `vmax`.
        """
        if self.vmin >= self.vmax:
            raise InputError(f"{self.name}: vmin={self.vmin} must be below vmax={self.vmax}")
        # A copy.
        counts = np.array(observed.dense_counts, dtype=np.float64)
        used = np.ix_(counts.any(axis=1), counts.any(axis=0))
        if counts[used].size == 0:
            raise InputError(f"{self.name} needs cells with counts; got none")
        import pysanity

        result = pysanity.fit(
            counts[used].T,
            variance_method=self.variance_method,
            vmin=self.vmin,
            vmax=self.vmax,
            nbins=self.nbins,
            n_threads=context.threads,
        )
        logs, variance = result.ltq.T, result.ltq_error_sq.T
        if self.estimate == "mean":
            logs = logs + variance / 2
        expression, std = np.zeros((2, *counts.shape))
        expression[used] = np.exp(logs) * counts.sum(axis=1)[used[0]]
        std[used] = expression[used] * np.sqrt(variance)
        return Imputed(expression, "counts", std=std)
