"""`ccimpute-bioc`: ccImpute as Bioconductor has had it since 2024, another algorithm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from impbench import Context, Imputed, Imputer, Observed, parameter
from impbench.errors import InputError


@dataclass(frozen=True)
class CcImputeBioc(Imputer):
    """Zeros that similar cells express are dropouts; each becomes the mean of those cells.

    Equals ccImpute 1.8.0 of Bioconductor 3.20 (R), see the docs.
    """

    name = "ccimpute-bioc"
    summary = "ccImpute of Bioconductor since 2024: means over consensus neighbours (native)"
    citation = (
        "ccImpute 1.8.0, Bioconductor 3.20; Malec et al. (2022), ccImpute: an accurate and "
        "scalable consensus clustering based algorithm to impute dropout events in the "
        "single-cell RNA-seq data, BMC Bioinformatics 23:291, which describes an earlier algorithm"
    )
    input_scale = "lognorm"
    stochastic = True
    packages = ("numba",)
    keeps_observed = True

    n_groups: int | None = parameter(
        None,
        "Clusters of cells; none takes the data's own number, or else the Tracy-Widom estimate.",
        min=1,
        symbol="k",
    )
    threshold: float = parameter(
        0.75, "Smallest share of clusterings two cells must agree in to count.", min=0, max=1
    )
    n_starts: int | None = parameter(
        None, "Random starts of k-means; none means 1000 below 2000 cells, else 50.", min=1
    )
    max_passes: int = parameter(1000, "Most rounds of one start of k-means.", min=1)
    fast_solver: bool = parameter(
        True,
        "Mean over the neighbours that express the gene; false solves for the dropouts of a gene "
        "together, as earlier versions did.",
    )
    as_original: bool = parameter(
        True,
        "Let rounding decide drawn votes, as the original program does; without the fast solver, "
        "mirror one triangle of the weights as well. False does neither.",
    )
    seeds: Literal["original", "independent"] = parameter(
        "original",
        "original draws the starts that BiocParallel hands out in run number `seed` of a session, "
        "which differ little; independent gives every seed a stream of its own.",
    )

    def prepare(self, context: Context) -> None:
        """Compile the ranks, k-means and the products of the solver."""
        counts = np.random.default_rng(0).poisson(2.0, (30, 20))
        self.impute(Observed.from_counts(counts, n_groups=2), Context())
        from .solve import compile_products

        compile_products()

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Cluster, find the dropouts and fill them.

        Raises
        ------
        InputError
            If fewer than two cells have counts, if there are not more of them than groups, or if
            the number of groups is to be estimated and there are none.
        """
        from impbench_plugins.shared.distance_components import needed_memory
        from impbench_plugins.shared.r_streams import biocparallel_stream

        from .bioc_method import bioc_cluster, bioc_impute_given
        from .clusterings import ConsensusClustering, stream_of_run
        from .method import gene_weights

        context.need_memory(
            needed_memory(observed.n_cells, observed.n_genes),
            f"correlations of {observed.n_cells} cells × {observed.n_genes} genes",
        )
        # A cell without counts has no ranks: it takes no part and stays as it is.
        used = observed.dense_counts.any(axis=1)
        n_used = int(used.sum())
        if n_used < 2:
            raise InputError(f"ccimpute-bioc needs at least 2 cells with counts, got {n_used}")
        counts, size_factors = observed.dense_counts[used], observed.size_factors[used]
        n_groups, source = self._groups(observed, used)
        if n_groups >= n_used:
            raise InputError(
                f"ccimpute-bioc: R's k-means needs fewer groups than cells, but there are "
                f"{n_groups} groups ({source}) and {n_used} cells with counts; pass a smaller "
                "n_groups"
            )
        original = self.seeds == "original"
        seed = context.seed
        how = ConsensusClustering(
            method=self.name,
            n_groups=n_groups,
            n_starts=self.n_starts or (1000 if n_used < 2000 else 50),
            max_passes=self.max_passes,
            seed=seed,
            threads=context.threads,
            stream=stream_of_run(seed) if original else biocparallel_stream().stream(seed),
        )
        context.progress(0, 100)
        labels = bioc_cluster(
            counts,
            gene_weights(counts, size_factors),
            how,
            lambda part: context.progress(round(80 * part), 100),
        )
        filled, n_imputed = bioc_impute_given(
            counts,
            size_factors,
            labels,
            self.threshold,
            self.fast_solver,
            self.as_original,
            context.threads,
            lambda part: context.progress(80 + round(20 * part), 100),
        )
        expression = observed.lognorm.copy()
        expression[used] = np.where(counts > 0, expression[used], filled)
        info: dict[str, Any] = {
            "n_groups": n_groups,
            "n_groups_from": source,
            "n_clusterings": int(labels.shape[1]),
            "n_imputed": n_imputed,
        }
        return Imputed(expression, "lognorm", info=info)

    def _groups(self, observed: Observed, used: NDArray[np.bool_]) -> tuple[int, str]:
        if self.n_groups is not None:
            return self.n_groups, "parameter"
        if observed.n_groups is not None:
            return observed.n_groups, "data"
        from .tracy_widom import tracy_widom_groups

        n_groups = tracy_widom_groups(observed.lognorm[used]) if observed.n_genes > 1 else 0
        if n_groups == 0:
            raise InputError(
                "ccimpute-bioc: by the Tracy-Widom estimate there is no group in these data, and "
                "k-means needs at least one; pass n_groups"
            )
        return n_groups, "Tracy-Widom"
