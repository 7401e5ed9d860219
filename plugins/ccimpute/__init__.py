"""ccImpute, native: a consensus of clusterings decides which zeros are dropouts and fills them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter
from impbench.errors import InputError

__all__ = ["CcImpute"]

MOST_CELLS_FOR_K = 1000
"""SIMLR's similarity is cells × cells: beyond this many, a random sample estimates the groups."""


@dataclass(frozen=True)
class CcImpute(Imputer):
    """Zeros that similar cells express are dropouts; each becomes a weighted mean of those cells.

    Written from the paper; equals ccImpute 0.99.20 (R), see the docs.
    """

    name = "ccimpute"
    version = "2"
    summary = "Fills zeros that most of a cell's consensus neighbours express (ccImpute, native)"
    citation = (
        "Malec et al. (2022), ccImpute: an accurate and scalable consensus clustering based "
        "algorithm to impute dropout events in the single-cell RNA-seq data, BMC Bioinformatics "
        "23:291"
    )
    input_scale = "lognorm"
    stochastic = True
    packages = ("numba",)
    keeps_observed = True

    n_groups: int | None = parameter(
        None,
        "Clusters of cells; none takes the data's own number, or else SIMLR's estimate (2 to 12).",
        min=1,
        symbol="k",
    )
    threshold: float = parameter(
        0.65, "Smallest share of clusterings two cells must agree in to count.", min=0, max=1
    )
    n_starts: int | None = parameter(
        None, "Random starts of k-means; none means 1000 up to 2000 cells, else 50.", min=1
    )
    max_passes: int = parameter(1000, "Most passes over the cells in one start of k-means.", min=1)
    as_original: bool = parameter(
        True,
        "Mirror the weights' lower triangle and let rounding decide drawn votes, as the original "
        "program does; false solves the paper's equations as written.",
    )
    seeds: Literal["original", "independent"] = parameter(
        "original",
        "original draws the starts that BiocParallel hands out in run number `seed` of a session, "
        "which differ little; independent draws new ones for every seed.",
    )

    def prepare(self, context: Context) -> None:
        """Compile the ranks, k-means and the products of the solver."""
        counts = np.random.default_rng(0).poisson(2.0, (30, 20))
        self.impute(Observed.from_counts(counts, n_groups=2), Context())
        from impbench_plugins.shared.kmeans import compile_kmeans

        from .solve import compile_products

        if self.seeds == "independent":
            compile_kmeans()
        compile_products()

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Cluster, find the dropouts and fill them.

        Raises
        ------
        InputError
            If fewer than two cells have counts, or there are more groups than such cells; with
            `seeds="original"`, if there are not more such cells than groups, as R demands.
        """
        from impbench_plugins.shared.distance_components import needed_memory

        from .clusterings import ConsensusClustering, stream_of_run
        from .method import cluster, gene_weights, impute_given

        context.need_memory(
            needed_memory(observed.n_cells, observed.n_genes),
            f"correlations of {observed.n_cells} cells × {observed.n_genes} genes",
        )
        counts, lognorm = observed.dense_counts, observed.lognorm
        # A cell without counts has no ranks: it takes no part and stays as it is.
        used = counts.any(axis=1)
        n_used = int(used.sum())
        if n_used < 2:
            raise InputError(f"ccimpute needs at least 2 cells with counts, got {n_used}")
        if n_used < len(used):
            counts, lognorm = counts[used], lognorm[used]
        n_groups, source = self._groups(observed, lognorm, context)
        if n_groups > n_used:
            raise InputError(
                f"ccimpute: {n_groups} groups, but only {n_used} cells have counts; "
                "pass a smaller n_groups"
            )
        original = self.seeds == "original"
        if original and n_groups == n_used:
            raise InputError(
                f"ccimpute: R's k-means needs fewer groups than cells, but there are {n_groups} "
                f"groups ({source}) and {n_used} cells with counts; pass a smaller n_groups, or "
                "seeds=independent"
            )
        how = ConsensusClustering(
            method=self.name,
            n_groups=n_groups,
            n_starts=self.n_starts or (1000 if n_used <= 2000 else 50),
            max_passes=self.max_passes,
            seed=context.seed,
            threads=context.threads,
            stream=stream_of_run(context.seed) if original else None,
        )
        context.progress(0, 100)
        weights = gene_weights(counts, observed.size_factors[used])
        labels = cluster(counts, weights, how, lambda part: context.progress(round(80 * part), 100))
        filled, n_imputed = impute_given(
            lognorm,
            labels,
            self.threshold,
            self.as_original,
            context.threads,
            lambda part: context.progress(80 + round(20 * part), 100),
        )
        expression = np.zeros_like(observed.lognorm)
        expression[used] = filled
        info: dict[str, Any] = {
            "n_groups": n_groups,
            "n_groups_from": source,
            "n_clusterings": int(labels.shape[1]),
            "n_imputed": n_imputed,
        }
        return Imputed(expression, "lognorm", info=info)

    def _groups(
        self, observed: Observed, lognorm: np.ndarray[Any, Any], context: Context
    ) -> tuple[int, str]:
        if self.n_groups is not None:
            return self.n_groups, "parameter"
        if observed.n_groups is not None:
            return observed.n_groups, "data"
        from .n_groups import estimate_n_groups

        rng = np.random.default_rng(context.seed)
        n = min(len(lognorm), MOST_CELLS_FOR_K)
        sample = np.sort(rng.choice(len(lognorm), n, replace=False))
        return estimate_n_groups(lognorm[sample].astype(np.float64)), "SIMLR"


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer ccImpute of the paper, and the other algorithm of the same name."""
    from .bioc import CcImputeBioc

    return [CcImpute, CcImputeBioc]
