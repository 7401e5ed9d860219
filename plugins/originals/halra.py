"""HALRA: its author's package, a thresholded low-rank approximation after ALRA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp

from impbench import Context, Imputed, Imputer, Observed, parameter
from impbench.errors import InputError

N_VALUES = 100
"""Singular values from which the package chooses a rank; it takes no other number."""


@dataclass(frozen=True)
class HalraOriginal(Imputer):
    """The package halra 0.1.0 through its own function (after Linderman et al. 2022).

    It takes raw counts without a word, and then works on counts. Its README asks for log values, or
    for ``normalize=True``; the latter is what happens here, so that it works on ln(1 + 10⁴ count /
    library size). The result is turned back by the same formula. Most observed values are replaced;
    only those that the threshold would turn into zeros come back, though its README promises
    the "restoration of observed (nonzero) values". Genes and cells without counts, which it drops,
    come back as zeros.
    """

    name = "halra-original"
    summary = "HALRA by its author's own package: thresholded low rank, after ALRA"
    citation = (
        "Merlet (2026), halra 0.1.0, after Linderman et al. (2022), Zero-preserving imputation of "
        "single-cell RNA-seq data, Nature Communications 13:192"
    )
    version = "0.1.0"
    stochastic = True
    packages = ("halra", "scikit-learn")
    requires = ("halra==0.1.0",)
    requires_python = ">=3.11,<3.14"
    lockfile = "locks/halra.txt"

    matrix_rank: int | Literal["auto"] = parameter(
        "auto",
        "Rank; auto takes it from 100 singular values, which needs more than 100 cells and genes.",
        min=1,
    )
    n_iter: int = parameter(12, "Power iterations of the approximation.", min=0)
    quantile_prob: float = parameter(
        0.001,
        "A gene's threshold is the size of this quantile of its approximated values.",
        min=0,
        max=1,
    )

    def prepare(self, context: Context) -> None:
        """Import the package, and scikit-learn with it."""
        import halra  # noqa: F401

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Call ``halra.halra`` with ``normalize=True``.

        Raises
        ------
        InputError
            If there are too few cells or genes with counts for the package to choose a rank.
        """
        counts = sp.csr_matrix(observed.counts, dtype=np.float64, copy=True)
        library = np.asarray(counts.sum(axis=1)).ravel()
        n_cells = np.count_nonzero(library)
        n_genes = np.count_nonzero(np.asarray(counts.sum(axis=0)))
        if self.matrix_rank == "auto" and min(n_cells, n_genes) <= N_VALUES:
            raise InputError(
                f"{self.name}: halra chooses its rank from {N_VALUES} singular values, so it needs "
                f"more than {N_VALUES} cells and {N_VALUES} genes with counts; got {n_cells} and "
                f"{n_genes}. Give the rank yourself, such as {self.name}[matrix_rank=10]"
            )
        if n_cells == 0:
            raise InputError(f"{self.name} needs cells with counts; got none")
        from halra import halra

        values, cells, genes = halra(
            counts,
            np.arange(observed.n_cells),
            np.arange(observed.n_genes),
            normalize=True,
            n_iter=self.n_iter,
            quantile_prob=self.quantile_prob,
            matrix_rank=None if self.matrix_rank == "auto" else self.matrix_rank,
            seed=context.seed,
            verbose=False,
        )
        cells, genes = cells.astype(int), genes.astype(int)
        expression = np.zeros((observed.n_cells, observed.n_genes))
        expression[np.ix_(cells, genes)] = (
            np.expm1(values.toarray()) * library[cells][:, None] / 1e4
        )
        return Imputed(expression, "counts")
