"""scMAE, a masked autoencoder that must also say which genes of a cell were exchanged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter
from impbench.errors import InputError

__all__ = ["Scmae"]


@dataclass(frozen=True)
class Scmae(Imputer):
    """Masked autoencoder with a mask predictor (Fang, Zheng & Li 2024), made for clustering.

    The network sees the most variable genes. The embedding is the encoder's output for the
    unchanged cells, which is what its authors cluster. They publish no imputation: here it is the
    decoder's output for the unchanged cells, brought back to the log2 scale and clipped at 0. All
    other genes, which the network never saw, come back as observed.
    """

    name = "scmae"
    summary = "Masked autoencoder that predicts exchanged genes; made for clustering"
    citation = (
        "Fang, Zheng & Li (2024), scMAE: a masked autoencoder for single-cell RNA-seq clustering, "
        "Bioinformatics 40(1):btae020"
    )
    input_scale = "lognorm"
    gives = ("expression", "embedding")
    stochastic = True
    packages = ("numba", "scanpy", "scikit-learn", "torch")

    n_hvg: int | None = parameter(
        1000, "Most variable genes that the network sees; none means all genes.", min=1
    )
    p_mask: float = parameter(
        0.4, "Share of entries drawn for exchange, eq. (1).", min=0, max=1, symbol="p"
    )
    shuffle: Literal["batch", "genes"] = parameter(
        "batch",
        "Where exchanged values come from: one other cell of the mini-batch (published code), or "
        "each gene's values shuffled over all cells (paper, 2.1.1).",
    )
    target: Literal["changed", "drawn"] = parameter(
        "changed",
        "What the mask predictor learns: entries whose value changed, or all entries drawn, also "
        "those that got an equal value (paper, eq. (1)).",
    )
    mask_loss: Literal["binary", "masked"] = parameter(
        "binary",
        "Cross-entropy of masked and other entries (published code), or of masked entries alone "
        "(paper, eq. (4)).",
    )
    mask_input: Literal["logits", "probabilities"] = parameter(
        "logits",
        "What the decoder is told of the predicted mask: logits (published code) or probabilities "
        "(paper, 2.1.2).",
    )
    masked_weight: float = parameter(
        0.75, "Weight of masked entries in the reconstruction, eq. (6).", min=0, max=1, symbol="λ"
    )
    mask_loss_weight: float = parameter(
        0.7,
        "Weight of the mask loss against the reconstruction, eq. (7).",
        min=0,
        max=1,
        symbol="γ",
    )
    hidden: int = parameter(256, "Width of the encoder's first layer.", min=1)
    latent: int = parameter(128, "Width of the encoder's other two layers.", min=1)
    epochs: int = parameter(80, "Passes over the cells.", min=1)
    batch_size: int = parameter(
        256,
        "Cells per mini-batch. A last batch that is not full is left out; fewer cells than one "
        "batch make one batch of all.",
        min=2,
    )
    learning_rate: float = parameter(1e-3, "Adam's learning rate.", min=0)

    def prepare(self, context: Context) -> None:
        """Import PyTorch with its optimisers, and scanpy, which chooses the genes."""
        import scanpy  # noqa: F401

        counts = np.random.default_rng(0).poisson(2, (4, 3)) + 1
        Scmae(epochs=1).impute(Observed.from_counts(counts), Context())

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Train on `observed`, then encode and decode it.

        Returns
        -------
        Log-scale expression, the encoder's output as embedding, and in `info` the number of genes
        the network saw and the losses of the last epoch.

        Raises
        ------
        InputError
            If there are fewer than two cells, or no counts.
        """
        from impbench_plugins.shared.same_fields import same_fields
        from impbench_plugins.shared.scaled_genes import scaled_genes

        from .training import ScmaeSettings, run

        if observed.n_cells < 2 or observed.counts.sum() == 0:
            raise InputError(
                "scmae needs counts and at least 2 cells, to exchange values between; got "
                f"{observed.n_cells} × {observed.n_genes} with {observed.counts.sum()} counts"
            )
        n_hvg = observed.n_genes if self.n_hvg is None else self.n_hvg
        seen = scaled_genes(observed, n_hvg)
        settings = same_fields(ScmaeSettings, self)
        fit = run(seen.values, settings, context.seed, context.progress)
        expression = observed.lognorm.copy()
        expression[:, seen.genes] = np.maximum(fit.reconstruction * seen.sd + seen.mean, 0)
        info: dict[str, Any] = {
            "genes_seen": len(seen.genes),
            "reconstruction_loss": fit.reconstruction_loss,
            "mask_loss": fit.mask_loss,
        }
        return Imputed(expression, "lognorm", embedding=fit.embedding, info=info)


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer scMAE."""
    return [Scmae]
