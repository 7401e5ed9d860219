"""kNN-smoothing: each cell's counts become the sum over its nearest cells, found step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter
from impbench.errors import InputError

__all__ = ["KnnSmoothing"]


@dataclass(frozen=True)
class KnnSmoothing(Imputer):
    """Sums raw counts over k nearest cells and the cell itself (Wagner, Yan & Yanai 2018).

    Neighbours are found on the smoothed data of the step before: 1, 3, 7, ... up to k. The result
    is the sum divided by k + 1; every entry is replaced.
    """

    name = "knn-smoothing"
    summary = "Sums counts over the nearest cells, more of them in every step"
    citation = (
        "Wagner, Yan and Yanai (2018), K-nearest neighbor smoothing for high-throughput "
        "single-cell RNA-Seq data, bioRxiv 217737"
    )
    stochastic = True
    packages = ("numba", "scikit-learn")

    k: int = parameter(32, "Nearest cells summed over, besides the cell itself.", min=1)
    d: int = parameter(
        10, "Principal components distances are taken in; all there are, if fewer.", min=1
    )
    dither: float = parameter(
        0.03, "Width of the uniform noise on a component, as a share of its range.", min=0
    )
    library: Literal["neighbours", "own"] = parameter(
        "neighbours",
        "Library size of the result: neighbours, the mean of the cells summed over, as published; "
        "own, the cell's.",
    )

    def prepare(self, context: Context) -> None:
        """Import what computes, and compile the search."""
        from impbench_plugins.shared.nearest import compile_nearest
        from impbench_plugins.shared.sparse_products import compile_multiply

        from . import smoothing  # noqa: F401

        compile_nearest()
        compile_multiply()

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Smooth in ceil(log2(k + 1)) steps.

        Raises
        ------
        InputError
            If there are not more than `k` cells.
        """
        from .smoothing import nearest_cells, sum_over_neighbours, with_library_sizes

        if observed.n_cells <= self.k:
            raise InputError(
                f"knn-smoothing: k={self.k} neighbours of each cell need at least {self.k + 1} "
                f"cells, got {observed.n_cells}; lower k"
            )
        neighbours = nearest_cells(
            observed.counts, self.k, self.d, self.dither, context.seed, context.progress
        )
        expression = sum_over_neighbours(observed.counts, neighbours)
        expression /= self.k + 1
        if self.library == "own":
            expression = with_library_sizes(expression, observed.counts)
        return Imputed(expression, "counts")


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer kNN-smoothing."""
    return [KnnSmoothing]
