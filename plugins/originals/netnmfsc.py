"""netNMF-sc: the variant of its authors' package that runs today, with multiplicative updates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, parameter
from impbench.errors import InputError


@dataclass(frozen=True)
class NetnmfscOriginal(Imputer):
    """The package netNMFsc 2.0 through its class netNMFMU (after Elyanow et al. 2020).

    Counts become a product of non-negative factors, and every entry is replaced. Two parts of the
    published method are missing. Its network of genes, which is to pull the factors of neighbours
    together, has to come from elsewhere, and impbench has none: the class gets a network without
    edges between genes, and a weight of 0 for that term. And netNMFMU takes a zero for a measured
    zero; netNMFGD, which gives zeros less weight and which the paper is about, needs TensorFlow 1.
    What is left is a factorisation with the Kullback-Leibler divergence, and a control for the
    published method rather than that.

    The class's own default is as many factors as cells, which changes little; 10 is that of the
    program that comes with it. Only ``fit_transform`` works: ``fit`` factorises the wrong
    argument. Some twenty lines are printed.
    """

    name = "netnmfsc-original"
    summary = "netNMF-sc's factorisation by its authors' package, without its network"
    citation = (
        "Elyanow, Dumitrascu, Engelhardt, Raphael (2020), netNMF-sc: leveraging gene-gene "
        "interactions for imputation and dimensionality reduction in single-cell expression "
        "analysis, Genome Research 30:195-204"
    )
    version = "2.0"
    stochastic = True
    packages = ("netNMFsc", "scikit-learn")
    # The package declares no dependency. It imports what scikit-learn 0.24 has moved, and that
    # scikit-learn uses numpy.float, gone since NumPy 1.24.
    requires = (
        "netNMFsc==2.0",
        "joblib",
        "mygene",
        "numpy<1.24",
        "pandas",
        "scikit-learn==0.23.2",
    )
    requires_python = ">=3.8,<3.9"
    lockfile = "locks/netnmfsc.txt"

    n_components: int = parameter(10, "Factors of a gene and of a cell.", min=1)
    init: Literal["nndsvd", "nndsvda", "nndsvdar", "random"] = parameter(
        "nndsvd", "Where the factors start; entries that start at zero stay there."
    )
    beta_loss: Literal["KL", "frobenius"] = parameter(
        "KL", "Divergence of the counts from the product that is made small."
    )
    max_iter: int = parameter(400, "Most updates.", min=1)
    tol: float = parameter(
        1e-4, "It stops where ten updates gain less than this part of the first error.", min=0
    )
    alpha: float = parameter(0.0, "Weight of the size of the factors.", min=0)
    l1_ratio: float = parameter(
        0.0, "How much of that is for the sum, not the squares.", min=0, max=1
    )

    def prepare(self, context: Context) -> None:
        """Import the package, and scikit-learn and mygene with it."""
        import netNMFsc  # noqa: F401

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Call ``netNMFMU.fit_transform`` on genes × cells of raw counts, and multiply.

        Raises
        ------
        InputError
            If there are no counts, or fewer cells or genes than factors, unless they start at
            random.
        """
        counts = np.array(observed.dense_counts.T, dtype=np.float64)
        if not counts.any():
            raise InputError(f"{self.name} needs cells with counts; got none")
        if self.init != "random" and self.n_components > min(counts.shape):
            raise InputError(
                f"{self.name}: n_components={self.n_components} is more than {observed.n_cells} "
                f"cells × {observed.n_genes} genes can have; lower it, or choose init=random"
            )
        from netNMFsc import netNMFMU

        model = netNMFMU(
            n_components=self.n_components,
            init=self.init,
            beta_loss=self.beta_loss,
            tol=self.tol,
            max_iter=self.max_iter,
            random_state=context.seed % 2**32,
            alpha=self.alpha,
            l1_ratio=self.l1_ratio,
        )
        # It inverts the number of each gene's neighbours: everyone is their own.
        genes = model.fit_transform(0.0, np.eye(observed.n_genes), counts)
        return Imputed(
            np.ascontiguousarray((genes @ model.components_).T),
            "counts",
            info={"n_iter": int(model.n_iter_)},
        )
