"""SMURF as its authors published it, with the pandas 1 that it needs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp

from impbench import Context, Imputed, Imputer, Observed, parameter
from impbench.errors import InputError


@dataclass(frozen=True)
class SmurfOriginal(Imputer):
    """The package smurf-imputation 1.0.9 through its own class (Pu et al. 2023).

    Every entry is replaced by the product of gene and cell factors, in the cell's own library size.
    The third noise model, CCV, is not offered: as published it always fails. Cells without counts,
    which the package turns into NaN and then refuses, are left out and come back as zeros.
    """

    name = "smurf-original"
    summary = "SMURF's matrix factorisation by its authors' own package"
    citation = (
        "Pu, Wang et al. (2023), SMURF: embedding single-cell RNA-seq data with matrix "
        "factorization preserving self-consistency, Briefings in Bioinformatics 24:bbad026"
    )
    version = "1.0.9"
    stochastic = True
    packages = ("numba", "pandas", "scikit-learn", "umap-learn")
    # The package declares no dependency. It uses numpy.float, gone since NumPy 1.24, and an
    # attribute that pandas 2 does not have.
    requires = ("smurf-imputation==1.0.9", "numpy<1.24", "pandas<2", "scikit-learn", "umap-learn")
    requires_python = ">=3.11,<3.12"
    lockfile = "locks/smurf.txt"

    n_features: int = parameter(20, "Factors of a gene and of a cell.", min=1)
    steps: int = parameter(
        10, "Most passes; each changes the factors of 10 n_features entries.", min=1
    )
    alpha: float = parameter(1e-5, "Size of a step along the gradient, above zero.", min=1e-300)
    eps: float = parameter(
        10.0, "It stops where the objective changes by less than this, above zero.", min=1e-300
    )
    noise_model: Literal["Fano", "CV"] = parameter(
        "Fano", "Noise with a constant Fano factor, or of constant variance (CV)."
    )
    normalize: bool = parameter(True, "Divide cells by library size first, and multiply after.")

    def prepare(self, context: Context) -> None:
        """Import SMURF, and with it UMAP, which takes many seconds."""
        if context.scratch is not None:
            os.environ["HOME"] = str(context.scratch)
        import smurf  # noqa: F401

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Call ``smurf.SMURF(...).smurf_impute`` on genes × cells of raw counts.

        Returns
        -------
        Count-scale values, never negative.

        Raises
        ------
        InputError
            If there are fewer genes, or fewer cells with counts, than `n_features`.
        """
        cells = np.flatnonzero(observed.counts.sum(axis=1))
        fewest = min(len(cells), observed.n_genes)
        if fewest < self.n_features:
            raise InputError(
                f"{self.name} needs at least n_features={self.n_features} genes and cells with "
                f"counts; got {observed.n_genes} and {len(cells)}: lower n_features"
            )
        import pandas as pd
        import smurf

        counts = observed.counts[cells]
        counts = counts.toarray() if sp.issparse(counts) else np.asarray(counts)
        operator = smurf.SMURF(
            n_features=self.n_features,
            steps=self.steps,
            alpha=self.alpha,
            eps=self.eps,
            noise_model=self.noise_model,
            normalize=self.normalize,
            estimate_only=True,
        )
        # The package draws from NumPy's global generator.
        np.random.seed(context.seed % 2**32)  # noqa: NPY002
        # A copy, genes × cells.
        estimate = operator.smurf_impute(pd.DataFrame(np.array(counts.T, dtype=np.float64)))
        expression = np.zeros((observed.n_cells, observed.n_genes), dtype=np.float32)
        expression[cells] = estimate.to_numpy().T
        return Imputed(expression, "counts")
