"""AutoImpute, native: an overcomplete autoencoder trained on the observed entries alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter
from impbench.errors import InputError

__all__ = ["AutoImpute"]


@dataclass(frozen=True)
class AutoImpute(Imputer):
    """Output of an autoencoder with more hidden units than genes (Talwar et al. 2018).

    Zeros are missing values: the network never learns from them, and its linear decoder can say
    anything there, negative values too. Every entry is replaced, on the log scale given. Written
    from the paper and a description of the authors' program.
    """

    name = "autoimpute"
    summary = "Overcomplete autoencoder fitted to the non-zeros (AutoImpute, native)"
    citation = (
        "Talwar, Mongia, Sengupta & Majumdar (2018), AutoImpute: Autoencoder based imputation of "
        "single-cell RNA-seq data, Scientific Reports 8:16329"
    )
    input_scale = "lognorm"
    stochastic = True
    packages = ("numba",)

    hidden: int = parameter(2000, "Hidden units (Table 2 has one per data set).", min=1)
    ridge: float = parameter(
        1.0, "Weight of half the squares of E and D (eq. 8; Table 2).", min=0, symbol="λ"
    )
    learning_rate: float = parameter(1e-4, "RMSProp's step (Table 2).", min=0)
    threshold: float = parameter(
        1e-4, "Training stops when the loss changes by less (Table 2).", min=0
    )
    stop: Literal["per-cell", "total"] = parameter(
        "per-cell",
        "What the threshold is held against: the change of the loss per cell, as in the program, "
        "or of the whole loss, as in the paper.",
    )
    steps: int = parameter(7000, "Most steps; each sees all cells.", min=1)
    biases: bool = parameter(
        True, "Biases in both layers, as in the program; the paper's eq. 8 has none."
    )
    initial_sd: float = parameter(
        1.0, "Standard deviation of the first weights; published is 1.", min=0
    )
    genes: Literal["given", "code", "paper"] = parameter(
        "given",
        "Genes to impute: those given, or the n_genes of highest dispersion by the rule of the "
        "program or of the paper; the others come back as observed.",
    )
    n_genes: int = parameter(1000, "How many of high dispersion (Data preprocessing).", min=1)

    def prepare(self, context: Context) -> None:
        """Compile the optimiser, or load it from numba's cache."""
        AutoImpute(hidden=2, steps=1).impute(Observed.from_counts(np.eye(3)), Context())

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Train on the observed entries and return the output for all.

        Genes and cells without counts come back as zeros.

        Returns
        -------
        Log-scale expression, and in `info` the steps taken, whether the loss settled, the last loss
        per cell, its part due to the observed entries as a mean square, and how many genes took
        part.

        Raises
        ------
        InputError
            If there are no counts, or no gene is expressed enough for the rule in `genes`.
        """
        from impbench_plugins.shared.same_fields import same_fields
        from threadpoolctl import threadpool_limits

        from .training import AutoImputeSettings, train

        chosen = self._chosen(observed)
        x = observed.lognorm[:, chosen]
        cells, genes = np.flatnonzero(x.any(axis=1)), np.flatnonzero(x.any(axis=0))
        if not len(cells):
            raise InputError(
                "autoimpute has nothing to learn from: all counts of the genes to impute are 0"
            )
        x = np.ascontiguousarray(x[np.ix_(cells, genes)])
        settings = same_fields(AutoImputeSettings, self)
        rng = np.random.default_rng(context.seed)
        with threadpool_limits(1):
            trained = train(x, settings, rng, context.threads, context.progress)
        expression = observed.lognorm.copy()
        expression[np.ix_(cells, chosen[genes])] = trained.output
        seen = x > 0
        info: dict[str, Any] = {
            "steps": len(trained.losses) - 1,
            "settled": trained.settled,
            "loss_per_cell": trained.losses[-1] / len(x),
            "mse_observed": float(np.mean((trained.output[seen] - x[seen]) ** 2)),
            "n_genes": len(genes),
        }
        return Imputed(expression, "lognorm", info=info)

    def _chosen(self, observed: Observed) -> np.ndarray[Any, np.dtype[np.intp]]:
        """Return the indices of the genes to impute."""
        if self.genes == "given":
            return np.arange(observed.n_genes)
        from .genes import dispersed_genes

        factors = observed.size_factors
        chosen = dispersed_genes(observed.dense_counts, factors, self.n_genes, self.genes)
        if not len(chosen):
            raise InputError(
                f"autoimpute: no gene has 3 counts in enough cells for genes={self.genes}; "
                "use genes=given"
            )
        return chosen


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer AutoImpute."""
    return [AutoImpute]
