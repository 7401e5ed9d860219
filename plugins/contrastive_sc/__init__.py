"""contrastive-sc: an embedding in which two corrupted views of the same cell lie close together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter
from impbench.errors import InputError

__all__ = ["ContrastiveSc"]


@dataclass(frozen=True)
class ContrastiveSc(Imputer):
    """Contrastive encoder of cells (Ciortan & Defrance 2021), made for clustering.

    The network sees the most variable genes, drops nine tenths of them twice, and learns to bring
    the two views of a cell together and apart from all other cells of its mini-batch. It gives 60
    coordinates for each cell, rows of length 1, and imputes nothing. Cells without a count have
    zeros.
    """

    name = "contrastive-sc"
    version = "2"
    summary = "Contrastive encoder of cells, made for clustering"
    citation = (
        "Ciortan & Defrance (2021), Contrastive self-supervised clustering of scRNA-seq data, BMC "
        "Bioinformatics 22:280"
    )
    gives = ("embedding",)
    stochastic = True
    packages = ("numba", "scanpy")

    n_hvg: int = parameter(500, "Most variable genes that the network sees.", min=1)
    dropout: float = parameter(
        0.9, "Share of the input that each view lacks.", min=0, max=0.99, symbol="p"
    )
    temperature: float = parameter(
        0.07, "By which similarities are divided in the loss.", min=0.03, symbol="T"
    )
    learning_rate: float = parameter(0.4, "Adam's learning rate at the start.", min=0)
    decay_epochs: int = parameter(
        500, "Epochs in which a cosine lowers the learning rate to a thousandth.", min=1
    )
    epochs: int = parameter(30, "Passes over the cells.", min=1)
    batch_size: int = parameter(
        200, "Cells per mini-batch; the last one of an epoch may be smaller.", min=2
    )

    def prepare(self, context: Context) -> None:
        """Import scanpy, which chooses the genes, and compile."""
        import scanpy  # noqa: F401

        counts = np.random.default_rng(0).poisson(2, (4, 3)) + 1
        ContrastiveSc(epochs=1).impute(Observed.from_counts(counts), Context())

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Train on `observed`, then encode it.

        Returns
        -------
        The encoder's output as embedding, (cells, 60), and in `info` the number of genes the
        network saw and the loss of the first and the last epoch.

        Raises
        ------
        InputError
            If a mini-batch would hold one cell, or there are too few cells to choose genes by.
        """
        from impbench_plugins.shared.same_fields import same_fields
        from impbench_plugins.shared.scaled_genes import FEWEST_CELLS, WithoutEmpty, scaled_genes

        from .training import ContrastiveSettings, run

        used = WithoutEmpty.of(observed)
        n_cells, n_genes = used.observed.n_cells, used.observed.n_genes
        if n_cells < FEWEST_CELLS and n_genes > self.n_hvg:
            raise InputError(
                f"contrastive-sc chooses {self.n_hvg} of {n_genes} genes by how they vary, for "
                f"which {n_cells} cells with counts are too few: {FEWEST_CELLS} are needed, or "
                "n_hvg as large as the number of genes"
            )
        if n_cells < 2 or n_cells % self.batch_size == 1:
            raise InputError(
                f"contrastive-sc cannot normalise a mini-batch of one cell, and {n_cells} cells "
                f"with counts in batches of batch_size={self.batch_size} leave one over: choose "
                "another batch_size (no choice helps a single cell)"
            )
        seen = scaled_genes(used.observed, self.n_hvg)
        settings = same_fields(ContrastiveSettings, self)
        fit = run(seen.values, settings, context.seed, context.progress)
        info = {
            "genes_seen": len(seen.genes),
            "first_loss": fit.losses[0],
            "last_loss": fit.losses[-1],
        }
        return Imputed(embedding=used.to_all_cells(fit.embedding), info=info)


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer contrastive-sc."""
    return [ContrastiveSc]
