"""DrImpute: a zero becomes the mean of its gene over similar cells, averaged over clusterings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter
from impbench.errors import InputError

__all__ = ["DrImpute"]


@dataclass(frozen=True)
class DrImpute(Imputer):
    """Cells are clustered in many ways; every zero takes what its clusters hold (Gong et al. 2018).

    A cell without counts takes no part and stays empty. Observed values do not change.
    """

    name = "drimpute"
    summary = "Fills zeros with the gene's mean over the cell's clusters, over 12 clusterings"
    citation = (
        "Gong et al. (2018), DrImpute: imputing dropout events in single cell RNA sequencing data, "
        "BMC Bioinformatics 19:220"
    )
    input_scale = "lognorm"
    stochastic = True
    packages = ("numba",)
    keeps_observed = True

    ks: tuple[int, ...] = parameter(
        (10, 11, 12, 13, 14, 15),
        "Numbers of clusters; each is used with Spearman's and with Pearson's correlation.",
        min=1,
    )
    share: float = parameter(
        0.05, "Principal components of the distances used, as a share of the cells.", min=0, max=1
    )
    combine: Literal["mean", "median"] = parameter(
        "mean", "How the values of the clusterings are made one."
    )
    dropout_target: float = parameter(
        0.0,
        "Least share of zeros in the result: below it the smallest imputed values become 0 again.",
        min=0,
        max=1,
    )
    n_starts: int = parameter(1000, "Random starts of k-means.", min=1)

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        if not self.ks:
            raise InputError("drimpute: ks is empty; give at least one number, such as [10,11]")

    def prepare(self, context: Context) -> None:
        """Compile k-means, and import what computes."""
        from impbench_plugins.shared.kmeans import compile_kmeans

        from . import clusterings, fill  # noqa: F401

        compile_kmeans()

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Cluster, then fill the zeros.

        Raises
        ------
        InputError
            If fewer cells have counts than the largest number of clusters, or fewer than two.
        """
        from impbench_plugins.shared.distance_components import needed_memory

        from .clusterings import cluster
        from .fill import fill_zeros, restore_zeros

        used = np.asarray(observed.counts.sum(axis=1)).ravel() > 0
        n_used, needed = int(used.sum()), max(2, *self.ks)
        if n_used < needed:
            raise InputError(
                f"drimpute puts the cells into up to {max(self.ks)} clusters, so at least {needed} "
                f"cells must have counts; {n_used} have. Give smaller numbers, such as "
                "drimpute[ks=[2,3]]"
            )
        context.need_memory(
            needed_memory(n_used, observed.n_genes),
            f"correlations of {n_used} cells × {observed.n_genes} genes",
        )
        lognorm = observed.lognorm[used]
        labels = cluster(
            lognorm,
            self.ks,
            self.share,
            self.n_starts,
            context.seed,
            context.threads,
            context.progress,
        )
        expression = np.zeros_like(observed.lognorm)
        expression[used] = fill_zeros(lognorm, labels, self.combine)
        n_restored = restore_zeros(expression, observed.lognorm, self.dropout_target)
        info: dict[str, Any] = {"n_clusterings": labels.shape[1], "n_zeros_restored": n_restored}
        return Imputed(expression, "lognorm", info=info)


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer DrImpute."""
    return [DrImpute]
