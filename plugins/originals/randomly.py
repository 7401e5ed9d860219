"""Randomly: the authors' package, noise told from signal by random matrices; an embedding."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, parameter
from impbench.errors import InputError


@dataclass(frozen=True)
class RandomlyOriginal(Imputer):
    """The package randomly 0.1.5 through its own class (Aparicio et al. 2020).

    It takes log2(1 + counts per million), standardises every gene, and projects the cells on the
    eigenvectors that stand out from those of a random matrix. What it returns are z-scores,
    centred on 0: no expression on a scale of counts or of their logs. The package offers nothing to
    turn them back; by the genes' means and deviations they would be worse than no imputation on 200
    cells, as a gene that is nearly all noise becomes its mean. So it is asked for coordinates of
    the cells, by its own ``fit_pca``: principal components of the denoised z-scores, as many as
    there are signals, which keep all distances between cells.

    Its ``return_cleaned(fdr=1)`` gives the logs undenoised; this does not go by it. Cells without
    counts, which it drops, stand in the origin. Its argument `random_state` is never read: the
    seed is NumPy's.
    """

    name = "randomly-original"
    summary = "Randomly by its authors' own package: cells on the signals above random matrices"
    citation = (
        "Aparicio et al. (2020), A random matrix theory approach to denoise single-cell data, "
        "Patterns 1:100035"
    )
    version = "0.1.5"
    gives = ("embedding",)
    stochastic = True
    packages = ("randomly", "pandas", "scikit-learn")
    # MulticoreTSNE 0.1 does not build with today's CMake; 0.0.1.1 does, and needs a C++ compiler.
    requires = ("randomly==0.1.5", "MulticoreTSNE==0.0.1.1")
    requires_python = ">=3.11,<3.14"
    lockfile = "locks/randomly.txt"

    n_comp: int | Literal["auto"] = parameter(
        "auto",
        "Coordinates; auto takes one for each signal. The package's own default is 2.",
        min=1,
    )
    fdr: float = parameter(
        1.0,
        "Only genes up to this false discovery rate, of the denoised ones; 1 takes all genes.",
        min=0,
        max=1,
    )
    refined: bool = parameter(
        False, "Leave out genes of low expression that look like noise, by Shapiro's test."
    )

    def prepare(self, context: Context) -> None:
        """Import the package, which imports seaborn and matplotlib."""
        if context.scratch is not None:
            os.environ["MPLCONFIGDIR"] = str(context.scratch)
        import randomly  # noqa: F401

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Call ``preprocess``, ``fit`` and ``fit_pca`` after seeding NumPy's global numbers.

        Raises
        ------
        InputError
            If fewer than two cells have counts, or nothing stands out from noise.
        """
        counts = np.array(observed.dense_counts, dtype=np.float64)
        n_cells = np.count_nonzero(counts.any(axis=1))
        if n_cells < 2:
            raise InputError(f"{self.name} needs at least 2 cells with counts; got {n_cells}")
        import pandas
        from randomly import Rm

        np.random.seed(context.seed)  # noqa: NPY002  (the package's)
        model = Rm()
        model.preprocess(pandas.DataFrame(counts), refined=self.refined)
        if self.refined:
            model.refining()
        model.fit()
        n_signals = int(model.n_components)
        if n_signals == 0:
            raise InputError(
                f"{self.name}: no eigenvalue of {n_cells} cells stands out from a random matrix's, "
                "so that there is nothing to project on"
            )
        n_comp = n_signals if self.n_comp == "auto" else self.n_comp
        model.fit_pca(n_comp=n_comp, fdr=None if self.fdr == 1 else self.fdr)
        embedding = np.zeros((observed.n_cells, n_comp))
        embedding[np.asarray(model.normal_cells, dtype=int)] = model.embedding
        return Imputed(embedding=embedding, info={"n_signals": n_signals})
