"""graph-sc: an embedding of cells from one graph convolution over the genes that they express."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter
from impbench.errors import InputError

__all__ = ["GraphSc"]


@dataclass(frozen=True)
class GraphSc(Imputer):
    """Graph autoencoder of genes and cells (Ciortan & Defrance 2022), made for clustering.

    Genes send to the cells that express them; the network gives every cell 300 coordinates and
    imputes nothing. It learns to tell each cell of a mini-batch from the others, at so low a rate
    that it stays where it starts: a random projection of the cells' components. Cells without a
    count get what the network gives for no gene at all.
    """

    name = "graph-sc"
    summary = "Graph autoencoder of genes and cells, made for clustering"
    citation = (
        "Ciortan & Defrance (2022), GNN-based embedding for clustering scRNA-seq data, "
        "Bioinformatics 38(4):1037-1044"
    )
    gives = ("embedding",)
    stochastic = True
    devices = ("cpu", "cuda")
    packages = ("anndata", "scanpy", "scikit-learn", "threadpoolctl", "torch")

    n_hvg: int = parameter(3000, "Most variable genes that are in the graph.", min=1)
    n_components: int = parameter(
        50, "Features of a node, principal components of the genes over the cells.", min=1
    )
    hidden: int = parameter(200, "Width of the graph convolution.", min=1)
    embedding: int = parameter(300, "Coordinates of a cell.", min=1)
    dropout: float = parameter(
        0.1, "Share dropped in training, of the features and of the coordinates.", min=0, max=0.99
    )
    epochs: int = parameter(10, "Passes over the cells; 0 leaves the weights as drawn.", min=0)
    batch_size: int = parameter(
        128,
        "Cells per mini-batch, in training and for the embedding; the last may be smaller.",
        min=1,
    )
    learning_rate: float = parameter(1e-5, "Adam's learning rate.", min=0)

    def prepare(self, context: Context) -> None:
        """Import PyTorch with its optimisers, scikit-learn and scanpy, which chooses the genes."""
        counts = np.random.default_rng(0).poisson(2, (6, 5)) + 1
        tiny = GraphSc(n_hvg=4, n_components=2, epochs=1)
        tiny.impute(Observed.from_counts(counts), Context(device=context.device))

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Train on `observed`, then encode it.

        Returns
        -------
        Coordinates, (cells, embedding) float32, and in `info` the number of genes in the graph, the
        loss of the first and the last epoch, and how far training moved the coordinates.

        Raises
        ------
        InputError
            If there are fewer cells or genes with counts than components.
        UnavailableError
            If CUDA is asked for and absent.
        """
        from impbench_plugins.shared.same_fields import same_fields
        from impbench_plugins.shared.torch_device import choose_device

        from .graph import build_graph, counted, variable_genes, whole_counts
        from .training import GraphSettings, run

        device = choose_device(context.device)
        counts = whole_counts(observed.counts)
        cells, genes = counted(counts)
        self._must_be_enough(len(cells), min(len(genes), self.n_hvg))
        genes = genes[variable_genes(counts[cells][:, genes], self.n_hvg)]
        self._must_be_enough(len(cells), len(genes))
        graph = build_graph(counts, cells, genes, self.n_components)
        settings = same_fields(GraphSettings, self)
        fit = run(graph, settings, context.seed, device, context.progress)
        embedding = np.tile(fit.of_nothing, (observed.n_cells, 1))
        embedding[cells] = fit.embedding
        info = {
            "genes_in_graph": len(genes),
            "first_loss": fit.losses[0] if fit.losses else None,
            "last_loss": fit.losses[-1] if fit.losses else None,
            "training_effect": fit.training_effect,
        }
        return Imputed(embedding=embedding, info=info)

    def _must_be_enough(self, n_cells: int, n_genes: int) -> None:
        if n_cells < 2 or min(n_cells, n_genes) < self.n_components:
            raise InputError(
                f"graph-sc describes genes and cells by n_components={self.n_components} principal "
                f"components, and there are {n_cells} cells with counts and {n_genes} genes with "
                f"3 counts or more, of which n_hvg={self.n_hvg} at most: choose a "
                "smaller n_components (none helps fewer than 2 cells)"
            )


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer graph-sc."""
    return [GraphSc]
