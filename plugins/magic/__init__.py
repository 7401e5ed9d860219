"""MAGIC: expression diffused over a graph of similar cells, through its authors' own package."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter
from impbench.errors import InputError

__all__ = ["Magic"]


@dataclass(frozen=True)
class Magic(Imputer):
    """X' = Mᵗ X, M a Markov matrix over nearest cells (van Dijk et al. 2018), log2 values in.

    Every entry is replaced. The approximate solver diffuses principal components instead of genes
    and may return values below zero; they are left as they come. With more than 1 024 cells the
    search for neighbours, and the steps of the exact solver, are ours: faster, and equal to 1e-6.
    """

    name = "magic"
    summary = "Diffuses expression over a graph of similar cells (magic-impute)"
    citation = (
        "van Dijk et al. (2018), Recovering gene interactions from single-cell data using data "
        "diffusion, Cell 174:716-729"
    )
    version = "3.0.0"
    input_scale = "lognorm"
    stochastic = True
    packages = ("graphtools", "magic-impute", "numba", "scikit-learn")

    knn: int = parameter(5, "Nearest cells that set a cell's kernel width.", min=1)
    decay: float = parameter(1.0, "Exponent of the kernel's tails, above zero.", min=1e-6)
    t: int | Literal["auto"] = parameter(
        3, "Steps of diffusion; auto stops once a step changes the data little.", min=1
    )
    n_pca: int = parameter(100, "Principal components for distances between cells.", min=1)
    solver: Literal["exact", "approximate"] = parameter(
        "exact", "Diffuse all genes, or principal components and project back."
    )
    knn_max: int | None = parameter(None, "Most neighbours of a cell; none means 3 knn.", min=1)
    distance: Literal["euclidean", "cosine"] = parameter("euclidean", "Distance between cells.")

    def __post_init__(self) -> None:
        """Check the parameters, also against each other."""
        super().__post_init__()
        if self.knn_max is not None and self.knn_max < self.knn:
            raise InputError(f"magic: knn_max={self.knn_max} must be at least knn={self.knn}")

    def prepare(self, context: Context) -> None:
        """Import magic-impute, and what it imports when it is first used: that takes seconds."""
        from impbench_plugins.shared.nearest import compile_nearest
        from impbench_plugins.shared.sparse_products import compile_multiply

        compile_nearest()
        compile_multiply()
        counts = np.random.default_rng(0).poisson(2.0, (10, 8)) + 1
        Magic(knn=2, n_pca=4).impute(Observed.from_counts(counts), Context())

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Build the graph, then diffuse.

        Raises
        ------
        InputError
            If there are too few cells for `knn` neighbours each.
        """
        import graphtools
        import magic
        from impbench_plugins.shared.sparse_products import multiply

        from .graph_functions import keep_graph_functions
        from .neighbours import FEWEST_CELLS, GraphSearch

        keep_graph_functions()
        n_cells, n_genes = observed.n_cells, observed.n_genes
        if n_cells < self.knn + 2:
            raise InputError(
                f"magic needs at least knn + 2 = {self.knn + 2} cells, got {n_cells}; lower knn"
            )
        # Small data: magic-impute drops the PCA itself, but warns, and fails when knn_max exceeds
        # the number of other cells.
        n_pca = self.n_pca if self.n_pca < min(n_cells, n_genes) else None
        knn_max = min(self.knn_max or 3 * self.knn, n_cells - 1)
        common = {"n_jobs": context.threads, "random_state": context.seed, "verbose": 0}
        operator = magic.MAGIC(t=self.t, solver=self.solver, **common)
        with _global_seed(context.seed), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warnings.simplefilter("ignore", DeprecationWarning)
            context.progress(0, 2)
            # The graph that magic-impute 3.0.0 builds, built here because it loses the distance.
            graph = graphtools.Graph(
                observed.lognorm,
                n_pca=n_pca,
                knn=self.knn,
                knn_max=knn_max,
                decay=self.decay,
                distance=self.distance,
                thresh=1e-4,
                initialize=False,
                **common,
            )
            many = n_cells > FEWEST_CELLS
            if many and self.distance == "euclidean":
                graph._knn_tree = GraphSearch(graph.data_nu)
            operator.fit(observed.lognorm, graph=graph)
            context.progress(1, 2)
            if many and self.solver == "exact" and self.t != "auto":
                values = multiply(graph.diff_op, observed.lognorm, self.t, context.threads)
            else:
                values = operator.transform()
            context.progress(2, 2)
        info: dict[str, Any] = {"n_pca": n_pca}
        if caught:
            info["warnings"] = sorted({str(warning.message) for warning in caught})
        return Imputed(np.asarray(values, dtype=np.float32), "lognorm", info=info)


@contextlib.contextmanager
def _global_seed(seed: int) -> Iterator[None]:
    """Seed NumPy's global generator for a while: t=auto draws the genes it watches from there."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed % 2**32)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer MAGIC."""
    return [Magic]
