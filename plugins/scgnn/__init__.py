"""scGNN: an autoencoder trained by turns with a graph and clusters of the cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter
from impbench.errors import InputError

__all__ = ["Scgnn"]


@dataclass(frozen=True)
class Scgnn(Imputer):
    """Autoencoder of ln(1 + count) with a graph of cells (Wang et al. 2021).

    The 2 000 genes whose raw counts vary most are imputed, all of their entries; other genes, and
    cells with hardly a gene, come back as observed. In the published program the graph does no
    more than weigh each cell by its number of neighbours. The embedding is the autoencoder's, or
    with graph_embedding=true the graph autoencoder's; cells left out have zeros. With ltmg=true
    the states of LTMG weigh the errors of the first stage.
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
    ltmg: bool = parameter(
        False, "Weigh the errors before the loop by LTMG's expression states as well."
    )
    ltmg_binary: bool = parameter(
        False, "Weigh by whether the state is above 0, not by its number (LTMG01)."
    )
    ltmg_repaired: bool = parameter(
        False,
        "Find the states without two faults of the R program, by which genes get ever fewer "
        "states and values below the limit are not noticed.",
    )
    state_weight: float = parameter(0.9, "Weight of the errors times the states.", min=0)
    graph_embedding: bool = parameter(
        False,
        "Find the clusters in the embedding of a graph autoencoder, which then also is the "
        "embedding that is given (--useGAEembedding; the paper's results have it).",
    )
    graph_epochs: int = parameter(200, "Passes of the graph autoencoder in each turn.", min=1)

    def prepare(self, context: Context) -> None:
        """Import what computes, and compile the optimiser."""
        counts = np.random.default_rng(0).poisson(2, (4, 3)) + 1
        tiny = Scgnn(
            k=2, hidden=2, latent=2, epochs=1, em_iterations=1, em_epochs=1, quickmode=True
        )
        tiny.impute(Observed.from_counts(counts), Context())
        if self.ltmg:
            from .ltmg import find_states

            for repaired in (False, True):
                find_states(np.log1p(counts.astype(float)), repaired)

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Train on `observed`; what the networks make of it are the imputed values.

        Returns
        -------
        Counts, the embedding, (cells, latent) or (cells, 16), and in `info` genes seen, Louvain's
        and k-means' numbers of clusters and the similarity of labels for each turn. With ltmg=true
        also LTMG's limit, the share of entries with a state above 0, and how many genes have
        each number of states.

        Raises
        ------
        InputError
            If no more than k cells are left by the published filters, or the graph autoencoder
            finds almost all of them linked.
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
        expression = observed.dense_counts.astype(np.float32)
        states, told = self._states(expression[np.ix_(seen.cells, seen.genes)])
        settings = same_fields(ScgnnSettings, self)
        fit = run(seen.values, settings, context.seed, context.progress, states)
        expression[np.ix_(seen.cells, seen.genes)] = np.expm1(fit.imputed)
        embedding = np.zeros((observed.n_cells, fit.embedding.shape[1]), np.float32)
        embedding[seen.cells] = fit.embedding
        info: dict[str, Any] = {
            "genes_seen": len(seen.genes),
            "communities": fit.communities,
            "clusters": fit.clusters,
            "similarities": fit.similarities,
            **told,
        }
        return Imputed(expression, "counts", embedding=embedding, info=info)

    def _states(
        self, counts: NDArray[np.float32]
    ) -> tuple[NDArray[np.int8] | None, dict[str, Any]]:
        """Return LTMG's states where they are asked for, and what `info` tells of them."""
        from .ltmg import find_states

        if not self.ltmg:
            return None, {}
        found = find_states(np.log1p(counts.astype(np.float64)), self.ltmg_repaired)
        above = found.states > 0
        told = {
            "ltmg_limit": found.limit,
            "ltmg_share_above_0": float(above.mean()),
            "ltmg_genes_by_states": np.bincount(found.n_states).tolist(),
        }
        return above.astype(np.int8) if self.ltmg_binary else found.states, told


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer scGNN."""
    return [Scgnn]
