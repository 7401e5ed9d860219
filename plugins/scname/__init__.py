"""scNAME: an embedding of cells that explains their counts and gathers around centres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter
from impbench.errors import InputError

__all__ = ["ScName"]


@dataclass(frozen=True)
class ScName(Imputer):
    """Autoencoder of counts with soft k-means on its latent (Wan et al. 2022), made for clustering.

    The embedding is the latent, 32 linear coordinates for each cell. The published program trains
    two networks without common weights; nothing of the one that guesses masks and neighbours gets
    into the embedding, so that it is left out unless `networks` asks for it. Cells without a count
    have zeros.
    """

    name = "scname"
    version = "2"
    summary = "Autoencoder of counts with soft k-means, made for clustering"
    citation = (
        "Wan, Chen & Deng (2022), scNAME: neighborhood contrastive clustering with ancillary mask "
        "estimation for scRNA-seq data, Bioinformatics 38(6):1575-1583"
    )
    gives = ("embedding",)
    stochastic = True
    packages = ("numba", "scanpy", "scikit-learn")

    n_clusters: int | Literal["groups"] = parameter(
        "groups", "Centres: a number, or as many as the data have groups.", min=1
    )
    networks: Literal["separate", "both", "shared"] = parameter(
        "separate",
        "The published program's second network, of which its result is made; both, which changes "
        "nothing; or one network that learns everything, as the paper draws it.",
    )
    n_hvg: int = parameter(1000, "Most variable genes that the network sees.", min=1)
    corruption: float = parameter(
        0.3, "Share of entries drawn for exchange (only with networks=shared).", min=0, max=1
    )
    mask_weight: float = parameter(
        1.0, "Weight of the mask's loss (only with networks=shared).", min=0, symbol="α"
    )
    neighbour_weight: float = parameter(
        0.1, "Weight of the neighbours' loss (only with networks=shared).", min=0, symbol="β"
    )
    cluster_weight: float = parameter(0.1, "Weight of soft k-means.", min=0, symbol="γ")
    n_neighbours: int = parameter(
        10, "Cells that count as neighbours (only with networks=shared).", min=1
    )
    temperature: float = parameter(
        0.7,
        "By which similarities are divided (only with networks=shared).",
        min=0.03,
        symbol="τ",
    )
    learning_rate: float = parameter(1e-4, "Adam's learning rate.", min=0)
    batch_size: int = parameter(
        128, "Cells per mini-batch; the last one is filled up with the first cells.", min=2
    )
    pretraining_epochs: int = parameter(500, "Passes over the cells ahead of k-means.", min=1)
    epochs: int = parameter(1000, "Most passes over the cells after it.", min=1)
    check_every: int = parameter(50, "Passes between looks at the clusters.", min=1)
    tolerance: float = parameter(
        1e-3, "Training stops where a smaller share of cells has changed cluster.", min=0, max=1
    )

    def prepare(self, context: Context) -> None:
        """Import scanpy, which chooses the genes, and k-means, and compile."""
        import scanpy  # noqa: F401

        counts = np.random.default_rng(0).poisson(2, (6, 3)) + 1
        quick = ScName(n_clusters=2, batch_size=4, pretraining_epochs=1, epochs=1)
        quick.impute(Observed.from_counts(counts), Context())

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Train on `observed`, then encode it.

        Returns
        -------
        The latent as embedding, (cells, 32), and in `info` the numbers of genes and clusters, the
        epochs of fine-tuning, and the share of cells that the last look found in another cluster
        (None where there was no look).

        Raises
        ------
        InputError
            If the number of groups is needed and not known, or there are fewer cells than make a
            mini-batch, a cluster each, or a choice of genes.
        """
        from impbench_plugins.shared.same_fields import same_fields
        from impbench_plugins.shared.scaled_genes import WithoutEmpty, scaled_genes

        from .training import Cells, ScNameSettings, run

        used = WithoutEmpty.of(observed)
        n_clusters = self._checked_n_clusters(observed, used.observed)
        seen = scaled_genes(used.observed, self.n_hvg)
        cells = Cells(
            np.ascontiguousarray(seen.values, dtype=np.float32),
            used.observed.dense_counts[:, seen.genes].astype(np.float32),
            used.observed.size_factors.astype(np.float32),
        )
        settings = same_fields(ScNameSettings, self)
        fit = run(cells, n_clusters, settings, context.seed, context.progress)
        info = {
            "genes_seen": len(seen.genes),
            "n_clusters": n_clusters,
            "epochs": fit.epochs,
            "changed": fit.changed,
        }
        return Imputed(embedding=used.to_all_cells(fit.embedding), info=info)

    def _checked_n_clusters(self, observed: Observed, used: Observed) -> int:
        from impbench_plugins.shared.scaled_genes import FEWEST_CELLS

        n_clusters = observed.n_groups if self.n_clusters == "groups" else self.n_clusters
        if n_clusters is None:
            raise InputError(
                "scname: n_clusters=groups, but the data do not say how many groups there are; "
                "give n_groups, or a number for n_clusters"
            )
        if used.n_cells < self.batch_size:
            raise InputError(
                f"scname needs a full mini-batch, batch_size={self.batch_size} cells with counts, "
                f"as the published program does; got {used.n_cells}: choose a smaller batch_size"
            )
        if used.n_cells < n_clusters:
            raise InputError(
                f"scname: {n_clusters} clusters, but only {used.n_cells} cells with counts; choose "
                "a smaller n_clusters"
            )
        if used.n_cells < FEWEST_CELLS and used.n_genes > self.n_hvg:
            raise InputError(
                f"scname chooses {self.n_hvg} of {used.n_genes} genes by how they vary, for which "
                f"{used.n_cells} cells with counts are too few: {FEWEST_CELLS} are needed, or "
                "n_hvg as large as the number of genes"
            )
        return n_clusters


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer scNAME."""
    return [ScName]
