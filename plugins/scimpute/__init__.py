"""scImpute, native: a mixture model finds likely dropouts, similar cells predict them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter
from impbench.errors import InputError

__all__ = ["ScImpute"]


@dataclass(frozen=True)
class ScImpute(Imputer):
    """Values that a gamma-normal mixture calls dropouts are predicted from cells of the same group.

    Written from the paper; equals scImpute 0.0.9 (R) given the same groups, see the docs. Returns
    counts in each cell's own library size, rounded as the original rounds them.
    """

    name = "scimpute"
    summary = "Replaces likely dropouts by regression on cells of the same group (scImpute, native)"
    citation = (
        "Li & Li (2018), An accurate and robust imputation method scImpute for single-cell RNA-seq "
        "data, Nature Communications 9:997"
    )
    input_scale = "counts"
    stochastic = True
    packages = ("numba", "scikit-learn")

    n_groups: int | None = parameter(
        None, "Groups of cells; none takes the data's own number.", min=1, symbol="K"
    )
    threshold: float = parameter(
        0.5, "Values with a larger dropout probability are imputed.", min=0, max=1, symbol="t"
    )
    decimals: int | None = parameter(
        2, "Decimals that the counts are rounded to; none leaves them.", min=0
    )

    def prepare(self, context: Context) -> None:
        """Import and compile what `impute` needs."""
        counts = np.random.default_rng(0).poisson(3.0, (30, 30))
        self.impute(Observed.from_counts(counts, n_groups=2), Context())

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Group the cells, then impute each group.

        Raises
        ------
        InputError
            If the number of groups is neither given nor known, or exceeds the number of cells with
            counts, or there are fewer than two such cells.
        """
        from impbench_plugins.shared.dropout_mixture import log_cpm
        from threadpoolctl import threadpool_limits

        from .method import OUTLIER, find_groups, impute_given

        n_groups = self.n_groups or observed.n_groups
        if n_groups is None:
            raise InputError(
                "scimpute needs the number of cell groups, and these data do not carry one: pass "
                "scimpute[n_groups=K]"
            )
        context.need_memory(
            8 * observed.n_cells**2, f"affinities between all pairs of {observed.n_cells} cells"
        )
        counts = observed.dense_counts
        # A cell without counts has no scale: it takes no part and stays as it is.
        used = counts.any(axis=1)
        n_used = int(used.sum())
        if n_used < max(2, n_groups):
            raise InputError(
                f"scimpute needs at least {max(2, n_groups)} cells with counts for {n_groups} "
                f"group(s), got {n_used}; pass a smaller n_groups"
            )
        if n_used < len(used):
            counts = counts[used]
        context.progress(0, 2 * n_used)
        with threadpool_limits(1):
            groups = find_groups(log_cpm(counts), n_groups, context.seed)
            context.progress(n_used, 2 * n_used)
            filled, imputed = impute_given(
                counts,
                groups,
                self.threshold,
                lambda n_cells: context.progress(n_used + n_cells, 2 * n_used),
            )
        context.progress(2 * n_used, 2 * n_used)
        if self.decimals is not None:
            filled = filled.round(self.decimals)
        expression = np.zeros((observed.n_cells, observed.n_genes), dtype=np.float32)
        expression[used] = filled
        labels = groups.labels
        info: dict[str, Any] = {
            "n_groups": n_groups,
            "group_sizes": np.bincount(labels[labels != OUTLIER], minlength=n_groups).tolist(),
            "n_outliers": int((labels == OUTLIER).sum()),
            "n_imputed": int(imputed.sum()),
        }
        return Imputed(expression, "counts", info=info)


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer scImpute."""
    return [ScImpute]
