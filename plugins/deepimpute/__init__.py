"""DeepImpute: small networks predict blocks of genes from the genes most correlated with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter
from impbench.errors import InputError

__all__ = ["DeepImpute"]

LEAST_MAXIMUM = 10


@dataclass(frozen=True)
class DeepImpute(Imputer):
    """Zeros of variable genes take what a network predicts from other genes (Arisdakessian 2019).

    Works on ln(1 + count), without normalisation by library size. Observed counts do not change,
    and genes that vary too little come back as they are.
    """

    name = "deepimpute"
    summary = "Predicts blocks of genes from correlated genes with small neural networks"
    citation = (
        "Arisdakessian et al. (2019), DeepImpute: an accurate, fast, and scalable deep neural "
        "network method to impute single-cell RNA-seq data, Genome Biology 20:211"
    )
    stochastic = True
    packages = ("numba",)
    keeps_observed = True

    min_dispersion: float = parameter(
        0.5, "Genes are imputed whose variance / (1 + mean) is larger, and more to fill up.", min=0
    )
    block_size: int = parameter(512, "Genes a network predicts.", min=1)
    n_predictors: int = parameter(5, "Most correlated genes taken for each gene of a block.", min=1)
    hidden_size: int = parameter(256, "Width of the hidden layer.", min=1)
    dropout: float = parameter(0.2, "Share of the hidden layer left out in training.", min=0, max=1)
    epochs: int = parameter(500, "Most passes over the training cells.", min=1)
    batch_size: int = parameter(64, "Cells per mini-batch.", min=1)
    learning_rate: float = parameter(1e-4, "Adam's learning rate.", min=0)
    early_stop: int = parameter(5, "Epochs without improvement until training stops.", min=1)
    validation: float = parameter(
        0.05, "Share of the cells, drawn at random, that validate.", min=0
    )

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        for name in ("dropout", "validation"):
            if not getattr(self, name) < 1:
                raise InputError(f"deepimpute: {name}={getattr(self, name)} must be below 1")

    def prepare(self, context: Context) -> None:
        """Compile the optimiser, or load it from numba's cache."""
        counts = np.random.default_rng(0).negative_binomial(1, 0.05, (40, 5))
        DeepImpute(epochs=1, min_dispersion=0).impute(Observed.from_counts(counts), Context())

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Choose genes and predictors, train all networks together, fill the zeros.

        Raises
        ------
        InputError
            If no count reaches 10, no gene varies enough, or too few cells are there to validate.
        """
        from impbench_plugins.shared.keras_training import KerasSchedule
        from impbench_plugins.shared.same_fields import same_fields
        from threadpoolctl import threadpool_limits

        from .blocks import choose_blocks, dispersion
        from .network import DeepImputeNetwork
        from .training import predict, train

        counts = observed.counts
        largest = float(counts.max()) if observed.n_cells and observed.n_genes else 0.0
        if largest < LEAST_MAXIMUM:
            raise InputError(
                f"deepimpute refuses data whose largest value is below {LEAST_MAXIMUM}, since they "
                f"look normalised or logged; here it is {largest:g}. Give raw counts; if these "
                "are, they are too shallow for this method"
            )
        n_validating = int(self.validation * observed.n_cells)
        if n_validating < 1:
            raise InputError(
                f"deepimpute: a share of {self.validation:g} of {observed.n_cells} cells leaves "
                "none to validate on; more cells, or a larger validation, are needed"
            )
        rng = np.random.default_rng(context.seed)
        dense = counts.toarray() if sp.issparse(counts) else np.asarray(counts)
        # One thread: sums always run in the same order, and products this small gain nothing.
        with threadpool_limits(1):
            varies = dispersion(dense)
            if not (varies > self.min_dispersion).any():
                raise InputError(
                    f"deepimpute: no gene has variance / (1 + mean) above min_dispersion="
                    f"{self.min_dispersion:g} (largest: {varies.max():.3g}); lower it"
                )
            blocks = choose_blocks(
                dense, self.min_dispersion, self.block_size, self.n_predictors, rng
            )
            networks = [
                DeepImputeNetwork(block, self.hidden_size, self.dropout, rng) for block in blocks
            ]
            log_counts = np.log1p(dense, dtype=np.float32)
            schedule = same_fields(KerasSchedule, self)
            losses = train(networks, log_counts, n_validating, schedule, rng, context.progress)
            expression = predict(networks, log_counts)
        np.copyto(expression, dense, where=dense > 0, casting="same_kind")
        n_imputed = len(np.unique(np.concatenate([block.targets for block in blocks])))
        info: dict[str, Any] = {
            "networks": len(networks),
            "genes_imputed": n_imputed,
            "epochs": len(losses),
            "validation_loss": losses[-1],
        }
        return Imputed(expression, "counts", info=info)


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer DeepImpute."""
    return [DeepImpute]
