"""zimpute: the authors' package, matrix completion under a truncated norm."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, parameter
from impbench.errors import InputError


@dataclass(frozen=True)
class ZimputeOriginal(Imputer):
    """The package zimpute 1.7 through its own function (Zhou 2020).

    With its normalisation it works on log2(1 + count / library size · median library size) and
    turns the result back into counts; of those, all up to 0.5 become zeros. Observed values stay.
    It writes the logs into the array that it is given: handed whole numbers, it cuts the
    logs to whole numbers, and no observed count comes back. It is given a copy in double precision.
    A rank of 10 made it diverge beyond 10⁴² on 200 cells; that is its own.
    """

    name = "zimpute-original"
    summary = "zimpute by its author's own package: low-rank completion, transformed cosines"
    citation = (
        "Zhou (2020), zimpute 1.7: a low-rank constraint matrix completion method based on a "
        "truncated kernel norm, Python Package Index"
    )
    version = "1.7"
    stochastic = True
    keeps_observed = True
    packages = ("zimpute",)
    # The module imports scikit-learn and matplotlib, which the package does not ask for.
    requires = ("zimpute==1.7", "matplotlib", "scikit-learn")
    requires_python = ">=3.11,<3.14"
    lockfile = "locks/zimpute.txt"

    r: int = parameter(1, "Rank whose singular values are left out of the norm.", min=1)
    lamda: float = parameter(0.01, "Weight of the sparse part, cell by cell.", min=0)
    normalize: bool = parameter(
        True,
        "Normalise and take logs inside; the package's own default is off, for data in which "
        "that is done.",
    )

    def prepare(self, context: Context) -> None:
        """Import the package, which imports matplotlib and scikit-learn."""
        if context.scratch is not None:
            os.environ["MPLCONFIGDIR"] = str(context.scratch)
        import zimpute.zsh  # noqa: F401

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Call ``zimpute.zsh.Impute`` after seeding NumPy's global numbers.

        Raises
        ------
        InputError
            If half of the cells have no counts, so that their median library size is 0, or if there
            are fewer cells or genes than the rank.
        """
        counts = np.array(observed.dense_counts, dtype=np.float64)
        if np.median(counts.sum(axis=1)) == 0:
            raise InputError(f"{self.name} needs counts in more than half of the cells")
        if self.r > min(counts.shape):
            raise InputError(
                f"{self.name}: rank r={self.r} is more than {observed.n_cells} cells × "
                f"{observed.n_genes} genes can have; lower r"
            )
        from zimpute import zsh

        np.random.seed(context.seed)  # noqa: NPY002  (the package's)
        expression = zsh.Impute(
            counts, r=self.r, lamda=self.lamda, N_flag="T" if self.normalize else "F"
        )
        return Imputed(expression, "counts")
