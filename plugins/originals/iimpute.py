"""I-Impute: the authors' package, dropouts by a mixture and their values by other cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, parameter
from impbench.errors import InputError


@dataclass(frozen=True)
class IImputeOriginal(Imputer):
    """The package i-impute 1.0.6 through its own class (Feng et al. 2019).

    It works on log10(1.01 + counts per million) and returns counts, rounded to three decimals. Its
    two constants for a zero are swapped: with `normalize` it takes 0.01 for what is log10(1.01),
    without it log10(1.01) for 0.01. So, with `normalize`, the mixture never meets the zeros that it
    looks for, and what should come back as zero is 0.013 per million: that is rounded away in a
    cell of 15 000 counts, and makes at least 0.001 of every zero from 38 000 counts on. Counts go
    in as double precision, because its products with a million overflow 32-bit integers.
    """

    name = "iimpute-original"
    summary = "I-Impute by its authors' own package: dropouts from a mixture, filled by a lasso"
    citation = (
        "Feng et al. (2019), I-Impute: a self-consistent method to impute single cell RNA "
        "sequencing data, bioRxiv 772723"
    )
    version = "1.0.6"
    packages = ("i-impute", "pandas", "scikit-learn")
    # The package asks for nothing; its README names these.
    requires = ("i-impute==1.0.6", "pandas", "scikit-learn", "scipy", "tasklogger")
    requires_python = ">=3.11,<3.14"
    lockfile = "locks/iimpute.txt"

    n: int = parameter(20, "The kernel of a cell reaches as far as this neighbour.", min=1)
    c_drop: float = parameter(
        0.5, "From this probability on, a value is taken for a dropout.", min=1e-6, max=1
    )
    p_pca: float = parameter(
        0.4, "Share of the variance that the components between cells explain.", min=1e-6, max=1
    )
    alpha: float = parameter(0.01, "Penalty of the lasso.", min=1e-6)
    normalize: bool = parameter(
        True,
        "Counts per million and logs inside; false gives it the counts as they are, which is how "
        "its README starts.",
    )
    iteration: bool = parameter(
        False, "Repeat until nothing changes, which is I-Impute; once is the paper's C-Impute."
    )

    def prepare(self, context: Context) -> None:
        """Import the package, and scikit-learn and pandas with it."""
        import iimpute  # noqa: F401

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Call ``IImpute(...).impute`` on genes × cells.

        Raises
        ------
        InputError
            If fewer than two cells have counts.
        """
        counts = np.array(observed.dense_counts.T, dtype=np.float64)
        n_cells = np.count_nonzero(counts.any(axis=0))
        if n_cells < 2:
            raise InputError(f"{self.name} needs at least 2 cells with counts; got {n_cells}")
        import pandas
        from iimpute import IImpute

        operator = IImpute(
            n=self.n,
            c_drop=self.c_drop,
            p_pca=self.p_pca,
            alpha=self.alpha,
            normalize=self.normalize,
            iteration=self.iteration,
            verbose=0,
        )
        return Imputed(np.ascontiguousarray(operator.impute(pandas.DataFrame(counts)).T), "counts")
