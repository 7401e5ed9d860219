"""AutoImpute, native: an overcomplete autoencoder trained on the observed entries alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter
from impbench.errors import InputError

__all__ = ["AutoImpute"]


@dataclass(frozen=True)
class AutoImpute(Imputer):
    """Output of an autoencoder with more hidden units than genes (Talwar et al. 2018).

    Zeros are missing values: the network never learns from them, and its linear decoder can say
    anything there, negative values too. Every entry is replaced, on the log scale given. As
    published, the first weights' noise stays at every zero, and the result is worse than the input:
    see the docs. Written from the paper and a description of the authors' program.
    """

    name = "autoimpute"
    summary = "Overcomplete autoencoder fitted to the non-zeros (AutoImpute, native)"
    version = "2"
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
        1e-4, "Training stops when the loss changes by no more (Table 2).", min=0
    )
    stop: Literal["per-cell", "total"] = parameter(
        "per-cell",
        "What the threshold is held against: the change of the squared error at the non-zeros per "
        "cell, as in the program, or of the whole penalised loss, as in the paper.",
    )
    steps: int = parameter(7000, "Most steps; each sees all cells.", min=1)
    biases: bool = parameter(
        True, "Biases in both layers, as in the program; the paper's eq. 8 has none."
    )
    initial_sd: float = parameter(
        1.0,
        "Standard deviation of the first weights; published is 1, and 0.01 lets the zeros settle.",
        min=0,
    )
    genes: Literal["given", "code", "paper"] = parameter(
        "given",
        "Genes to impute: those given, or the n_genes of highest dispersion by the rule of the "
        "program or of the paper, divided by library sizes of the genes that are expressed enough; "
        "the others come back as observed.",
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
        Log-scale expression, and in `info` the steps taken, whether the loss settled, the last
        penalised loss per cell, the mean squared error at the observed entries, and how many genes
        took part.

        Raises
        ------
        InputError
            If there are no counts, or no gene is expressed enough for the rule in `genes`.
        """
        from impbench_plugins.shared.same_fields import same_fields
        from threadpoolctl import threadpool_limits

        from .training import AutoImputeSettings, train

        chosen, factors = self._chosen(observed)
        x = observed.lognorm[:, chosen] if factors is None else _logs(observed, chosen, factors)
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
        output = trained.output
        if factors is not None:
            output = _rescaled(output, (factors / observed.size_factors)[cells, None])
        expression = observed.lognorm.copy()
        expression[np.ix_(cells, chosen[genes])] = output
        seen = x > 0
        info: dict[str, Any] = {
            "steps": len(trained.watched),
            "settled": trained.settled,
            "loss_per_cell": trained.loss / len(x),
            "mse_observed": float(np.mean((trained.output[seen] - x[seen]) ** 2)),
            "n_genes": len(genes),
        }
        return Imputed(expression, "lognorm", info=info)

    def _chosen(self, observed: Observed) -> tuple[NDArray[np.intp], NDArray[np.float64] | None]:
        """Return the genes to impute and the rule's size factors, or None for the data's own."""
        if self.genes == "given":
            return np.arange(observed.n_genes), None
        from .genes import dispersed_genes

        chosen = dispersed_genes(observed.dense_counts, self.n_genes, self.genes)
        if not len(chosen.genes):
            raise InputError(
                f"autoimpute: no gene has 3 counts in enough cells for genes={self.genes}; "
                "use genes=given"
            )
        return chosen.genes, chosen.size_factors


def _logs(
    observed: Observed, genes: NDArray[np.intp], factors: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return log2(1 + count / factor) of these genes, (cells, genes)."""
    logs: NDArray[np.float32] = np.log2(
        1 + observed.dense_counts[:, genes] / factors[:, None]
    ).astype(np.float32)
    return logs


def _rescaled(values: NDArray[np.float32], ratio: NDArray[np.float64]) -> NDArray[np.float32]:
    """Multiply the counts behind log2(1 + count) by `ratio`, (cells, 1).

    Below 0 there are no counts: −y becomes minus what y becomes.
    """
    magnitude = np.abs(values.astype(np.float64))
    scaled: NDArray[np.float32] = np.copysign(
        np.log2(1 + (np.exp2(magnitude) - 1) * ratio), values
    ).astype(np.float32)
    return scaled


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer AutoImpute."""
    return [AutoImpute]
