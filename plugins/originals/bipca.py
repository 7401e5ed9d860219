"""BiPCA: its authors' package, which brings all noise to one variance and shrinks what is left."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, parameter
from impbench.errors import InputError


@dataclass(frozen=True)
class BipcaOriginal(Imputer):
    """The package bipca 1.1.0 through its own class (Stanley et al.).

    Rows and columns are scaled so that the noise has the same variance everywhere, which a
    quadratic function of the mean describes; the singular values that rise above such noise are
    kept, and shrunk. ``transform`` gives the scaled matrix, unless told ``unscale=True``. That
    alone still gives every cell the median library size, so ``library_normalize=False`` is set
    besides; then the values are counts. Nearly every observed value is replaced, and the sums of
    cells change by up to a quarter.

    The package starts one of its decompositions from NumPy's global numbers, which changes the
    values by 10⁻¹¹; its own seed chooses parts of matrices beyond 5 000 cells and genes. Cells and
    genes without counts, which it refuses, come back as zeros.

    The environment holds PyTorch as the index gives it, on Linux with CUDA: 5.8 GiB in all.
    """

    name = "bipca-original"
    summary = "BiPCA by its authors' own package: noise made even, singular values shrunk"
    citation = (
        "Stanley, Yang, Li, Lindenbaum, Kobak, Landa, Kluger, bipca 1.1.0: biwhitened principal "
        "components analysis, Python Package Index"
    )
    version = "1.1.0"
    stochastic = True
    packages = ("scikit-learn", "torch")
    requires = ("bipca==1.1.0",)
    requires_python = ">=3.11,<3.13"
    lockfile = "locks/bipca.txt"

    n_components: int = parameter(
        0,
        "Singular values that are computed; 0: half of cells or genes, 200 at most.",
        min=0,
    )
    shrinker: Literal["frobenius", "operator", "nuclear", "hard", "soft"] = parameter(
        "frobenius", "Loss for which the singular values are shrunk, or a threshold."
    )

    def prepare(self, context: Context) -> None:
        """Import the package, and PyTorch and matplotlib with it."""
        if context.scratch is not None:
            os.environ["MPLCONFIGDIR"] = str(context.scratch)
        import bipca  # noqa: F401

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Call ``BiPCA().fit`` and ``transform``.

        Returns
        -------
        Counts, never negative, and in `info` the `rank` that was kept.

        Raises
        ------
        InputError
            If there are fewer than two cells or genes with counts.
        """
        # A copy.
        counts = np.array(observed.dense_counts, dtype=np.float64)
        used = np.ix_(counts.any(axis=1), counts.any(axis=0))
        n_cells, n_genes = counts[used].shape
        if min(n_cells, n_genes) < 2:
            raise InputError(
                f"{self.name} needs at least 2 cells and 2 genes with counts; got {n_cells} and "
                f"{n_genes}"
            )
        import torch
        from bipca import BiPCA

        torch.set_num_threads(context.threads)
        np.random.seed(context.seed % 2**32)  # noqa: NPY002  (the package's)
        model = BiPCA(
            n_components=self.n_components or None,
            default_shrinker=self.shrinker,
            seed=context.seed,
            verbose=0,
        )
        model.fit(counts[used])
        expression = np.zeros(counts.shape)
        expression[used] = model.transform(unscale=True, library_normalize=False)
        return Imputed(expression, "counts", info={"rank": int(model.mp_rank)})
