"""scGNN: an autoencoder trained by turns with a graph and clusters of the cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter
from impbench.errors import InputError

__all__ = ["Scgnn"]


@dataclass(frozen=True)
class Scgnn(Imputer):
    """Autoencoder of ln(1 + count) with a graph of cells (Wang et al. 2021), without LTMG.

    The 2 000 genes whose raw counts vary most are imputed, all of their entries; other genes, and
    cells with hardly a gene, come back as observed. In the published program the graph does no
    more than weigh each cell by its number of neighbours. The embedding is the autoencoder's; cells
    left out have zeros.
    """

    name = "scgnn"
    summary = "Autoencoder by turns with a graph and clusters of the cells"
    citation = (
        "Wang et al. (2021), scGNN is a novel graph neural network framework for single-cell "
        "RNA-Seq analyses, Nature Communications 12:1882"
    )
    input_scale = "counts"
    gives = ("expression", "embedding")
    stochastic = True
    packages = ("igraph", "numba", "scikit-learn", "torch")

    n_genes: int = parameter(
        2000, "Genes of largest variance of the raw counts, which are seen and imputed.", min=1
    )
    k: int = parameter(10, "Nearest cells in the graph.", min=1)
    hidden: int = parameter(512, "Width of the outer hidden layers.", min=1)
    latent: int = parameter(128, "Width of the embedding.", min=1)
    epochs: int = parameter(500, "Passes over all cells before the loop.", min=1)
    em_iterations: int = parameter(
        10, "Turns of clustering and training, at most; the program's demonstration has 2.", min=1
    )
    em_epochs: int = parameter(
        200, "Passes over all cells in each turn, and again in the imputation.", min=1
    )
    cluster_epochs: int = parameter(
        200, "Further passes for each cluster in each turn; not with quickmode.", min=0
    )
    quickmode: bool = parameter(False, "Leave out the passes for each cluster.")
    resolution: float | None = parameter(
        None,
        "Share of Louvain's number of communities that k-means is asked for; none: 0.8 for fewer "
        "than 2 000 cells, else 0.5.",
        min=0,
        max=1,
    )
    same_labels: float = parameter(
        0.99, "Adjusted Rand index of two turns' labels above which the loop ends.", min=0, max=1
    )
    graph_weight: float = parameter(
        0.3, "Weight of a cell's number of neighbours in the imputation.", min=0
    )
    cluster_weight: float = parameter(
        0.1, "Weight of the size of a cell's cluster in the imputation.", min=0
    )
    penalty: float = parameter(
        1.0, "Weight of the sum of all absolute weights and biases.", min=0, symbol="γ"
    )

    def prepare(self, context: Context) -> None:
        """Import what computes, and compile the optimiser."""
        counts = np.random.default_rng(0).poisson(2, (4, 3)) + 1
        tiny = Scgnn(
            k=2, hidden=2, latent=2, epochs=1, em_iterations=1, em_epochs=1, quickmode=True
        )
        tiny.impute(Observed.from_counts(counts), Context())

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Train on `observed`; what the networks make of it are the imputed values.

        Returns
        -------
        Counts, the embedding (cells, latent), and in `info` genes seen, Louvain's and k-means'
        numbers of clusters and the similarity of labels for each turn.

        Raises
        ------
        InputError
            If no more than k cells are left by the published filters.
        """
        from impbench_plugins.shared.same_fields import same_fields

        from .genes import choose
        from .training import ScgnnSettings, run

        seen = choose(observed, self.n_genes)
        if len(seen.cells) <= self.k:
            raise InputError(
                f"scgnn links each cell to its k={self.k} nearest others and needs {self.k + 1} "
                f"cells; {len(seen.cells)} of {observed.n_cells} hold 1 % of the genes that are "
                "found in 1 % of the cells: a smaller k lifts this"
            )
        fit = run(seen.values, same_fields(ScgnnSettings, self), context.seed, context.progress)
        expression = observed.dense_counts.astype(np.float32)
        expression[np.ix_(seen.cells, seen.genes)] = np.expm1(fit.imputed)
        embedding = np.zeros((observed.n_cells, self.latent), np.float32)
        embedding[seen.cells] = fit.embedding
        info: dict[str, Any] = {
            "genes_seen": len(seen.genes),
            "communities": fit.communities,
            "clusters": fit.clusters,
            "similarities": fit.similarities,
        }
        return Imputed(expression, "counts", embedding=embedding, info=info)


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer scGNN."""
    return [Scgnn]
