"""ZiPo, an autoencoder that predicts library sizes besides zero-inflated rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter
from impbench.errors import InputError

__all__ = ["Zipo", "ZipoZinb"]


@dataclass(frozen=True)
class Zipo(Imputer):
    """Residual encoder, linear decoder, zero-inflated Poisson likelihood (Sharifitabar et al.).

    Every entry becomes m = l μ, the predicted library size times the predicted share of the gene:
    "the expected expression level", and what the paper's errors of the rates are about. Zero
    inflation does not lower it. A seed gives the same result on the same build of PyTorch and kind
    of processor only: training carries a single rounding on to the first digit.
    """

    name = "zipo"
    summary = "Autoencoder with predicted library size, zero-inflated Poisson likelihood"
    citation = (
        "Sharifitabar, Kazempour, Razavian, Sajedi, Solhjoo & Zare, A deep neural network to "
        "de-noise single-cell RNA sequencing data (ZiPo)"
    )
    gives = ("expression", "embedding")
    stochastic = True
    packages = ("torch",)
    negative_binomial: ClassVar[bool] = False

    encoder: tuple[int, ...] = parameter(
        (2048, 1024, 512, 256, 128), "Widths of the encoder's layers; the last holds the latents.",
        min=1,
    )  # fmt: skip
    residuals: bool = parameter(
        True, "Add every encoder layer, through a linear map, to the latent layer (III-A)."
    )
    library_layers: tuple[int, ...] = parameter(
        (16, 4), "Widths of the hidden layers that predict the library size (II-G).", min=1
    )
    input: Literal["counts", "log"] = parameter(
        "counts", "What the encoder sees: counts, as published, or ln(1 + counts)."
    )
    library_start: Literal["mean", "zero"] = parameter(
        "mean",
        "Where ln l starts: at the mean library size, or near 0 as published, from where it takes "
        "more steps to arrive than a data set of some hundred cells has.",
    )
    covariates: Literal["none", "batch"] = parameter(
        "none", "Known covariates beside the latents: none, or the batch of each cell, one-hot."
    )
    alpha_z: float = parameter(
        0.1, "Weight of E[z²], which holds zero inflation back.", min=0, symbol="α_z"
    )
    alpha_w: float = parameter(
        0.1, "Weight of L1 / L2 of the first layer's weights.", min=0, symbol="α_w"
    )
    prune: float = parameter(
        0.0,
        "After training, set first-layer weights below this share of their neuron's largest to 0; "
        "the paper examines 1e-4.",
        min=0,
        max=1,
        symbol="δ",
    )
    epochs: int = parameter(200, "Most passes over the training cells.", min=1)
    batch_size: int = parameter(64, "Cells per mini-batch; the paper gives none.", min=2)
    validation: float = parameter(
        0.1, "Share of the cells, drawn at random, that decides when to stop.", min=0.01, max=0.5
    )
    learning_rate: float = parameter(0.0212, "Adam's learning rate in the first epoch.", min=0)
    final_rate: float = parameter(
        1e-3, "Where the learning rate ends that falls by a tenth with every epoch.", min=0
    )
    reduce_lr: int = parameter(
        15, "Epochs without an improvement of 0.1 % until the learning rate falls.", min=1
    )
    early_stop: int = parameter(30, "Epochs without improvement until training stops.", min=1)

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        if not self.encoder:
            raise InputError(
                f"{self.name}: encoder is empty; give at least one width, such as [512,128]"
            )

    def prepare(self, context: Context) -> None:
        """Import PyTorch with its optimisers."""
        counts = np.random.default_rng(0).poisson(2, (4, 3)) + 1
        type(self)(encoder=(4,), epochs=1).impute(Observed.from_counts(counts), Context())

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Train on `observed`, then predict its rates.

        Returns
        -------
        Count-scale rates l μ, the latents as embedding, and in `info`: epochs, validation loss,
        log-likelihood (ln, mean over all cells of the sum over genes), mean zero inflation, the
        share of first-layer weights below 1e-4 of their neuron's largest, and `build_bound`.

        Raises
        ------
        InputError
            If there are fewer than three cells, or no counts, or batches are asked for and unknown.
        """
        from impbench_plugins.shared.same_fields import same_fields

        from .training import ZipoSettings, run

        if observed.n_cells < 3 or observed.counts.sum() == 0:
            raise InputError(
                f"{self.name} needs counts and at least 3 cells, two to train and one to validate "
                f"on; got {observed.n_cells} × {observed.n_genes} with {observed.counts.sum()} "
                "counts"
            )
        settings = same_fields(ZipoSettings, self)
        fit = run(observed.dense_counts, self._known(observed), settings, context)
        return Imputed(fit.rates, "counts", embedding=fit.latents, info=fit.facts)

    def _known(self, observed: Observed) -> Any:
        """U′, the known covariates, (cells, covariates)."""
        if self.covariates == "none":
            return np.empty((observed.n_cells, 0), dtype=np.float32)
        if observed.batch is None:
            raise InputError(
                f"{self.name}: covariates=batch, but the data hold no batches; leave covariates out"
            )
        return (observed.batch[:, None] == np.unique(observed.batch)).astype(np.float32)


@dataclass(frozen=True)
class ZipoZinb(Zipo):
    """ZiPo with a zero-inflated negative binomial; two more penalties, as the paper needs them."""

    name = "zipo-zinb"
    summary = "Autoencoder with predicted library size, zero-inflated negative binomial likelihood"
    negative_binomial: ClassVar[bool] = True

    alpha_theta: float = parameter(
        0.1, "Weight of E[θ²]; the paper names it without a value.", min=0, symbol="α_θ"
    )
    alpha_l: float = parameter(
        0.1, "Weight of the squared error of the library size (III-F).", min=0
    )


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer ZiPo with either likelihood."""
    return [Zipo, ZipoZinb]
