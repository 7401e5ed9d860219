"""ALRA: a low-rank approximation whose values below a gene's own threshold are zeros."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter
from impbench.errors import InputError

__all__ = ["Alra"]


@dataclass(frozen=True)
class Alra(Imputer):
    """Adaptively thresholded low-rank approximation (Linderman et al. 2022).

    Works on ln(1 + 10⁴ count / library size), whatever size factors the data carry, and returns
    counts in the cell's own library size. Observed values are replaced too, except where the result
    would be zero: there the observed count itself comes back. A seed gives what ``set.seed`` of
    that number gives in R.
    """

    name = "alra"
    summary = "Low-rank approximation that keeps biological zeros by a threshold per gene"
    citation = (
        "Linderman et al. (2022), Zero-preserving imputation of single-cell RNA-seq data, Nature "
        "Communications 13:192"
    )
    stochastic = True
    packages = ("scikit-learn",)

    k: int | Literal["auto"] = parameter(
        "auto",
        "Rank; auto takes it from the singular values, which needs n_values cells and genes.",
        min=1,
        symbol="k",
    )
    n_power: int = parameter(10, "Power iterations of the approximation.", min=0, symbol="q")
    quantile: float = parameter(
        0.001,
        "A gene's threshold is the size of this quantile of its approximated values; 0, the size "
        "of the smallest, is the paper's.",
        min=0,
        max=1,
    )
    n_values: int = parameter(100, "auto: singular values looked at.", min=3, symbol="K")
    noise_start: int = parameter(
        80, "auto: the gaps from here to the last are those of noise.", min=2
    )
    threshold: float = parameter(
        6.0, "auto: standard deviations by which a gap must stand out from noise.", min=0
    )

    def __post_init__(self) -> None:
        """Check the parameters, also against each other."""
        super().__post_init__()
        if self.noise_start > self.n_values - 1:
            raise InputError(
                f"alra: noise_start={self.noise_start} leaves fewer than two gaps up to n_values="
                f"{self.n_values}; it must be at most {self.n_values - 1}"
            )

    def prepare(self, context: Context) -> None:
        """Import what computes."""
        from impbench_plugins.shared import r_random  # noqa: F401

        from . import low_rank, scale, threshold  # noqa: F401

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Choose the rank, approximate, threshold and rescale.

        Raises
        ------
        InputError
            If there are too few cells or genes for the rank, or to choose one, or if no singular
            value stands out.
        """
        from impbench_plugins.shared.r_random import Normals
        from threadpoolctl import threadpool_limits

        from .low_rank import approximate, choose_rank
        from .scale import counts_from_log, log_normalised
        from .threshold import complete

        smallest = min(observed.n_cells, observed.n_genes)
        size = f"{observed.n_cells} cells × {observed.n_genes} genes"
        if self.k == "auto" and smallest < self.n_values:
            raise InputError(
                f"alra chooses its rank from {self.n_values} singular values, so it needs at least "
                f"{self.n_values} cells and {self.n_values} genes; got {size}. Give the rank "
                "yourself, such as alra[k=10]"
            )
        if self.k != "auto" and self.k > smallest:
            raise InputError(f"alra: rank k={self.k} is more than {size} can have; lower k")
        n_steps = 3
        context.progress(0, n_steps)
        normals = Normals(context.seed)
        # One thread: sums always run in the same order.
        with threadpool_limits(1, user_api="blas"):
            values = log_normalised(observed.counts)
            if self.k == "auto":
                rank = choose_rank(values, normals, self.n_values, self.noise_start, self.threshold)
                if rank is None:
                    raise InputError(
                        "alra: no gap between singular values stands out from noise by "
                        f"{self.threshold:g} standard deviations in {size}, so there is no rank to "
                        "choose; give it yourself, such as alra[k=10]"
                    )
            else:
                rank = self.k
            context.progress(1, n_steps)
            left, right = approximate(values, rank, self.n_power, normals)
            context.progress(2, n_steps)
            n_restored = complete(values, left, right, self.quantile)
        expression = counts_from_log(values, observed.counts)
        context.progress(3, n_steps)
        info: dict[str, Any] = {"k": rank, "n_restored": n_restored}
        return Imputed(expression, "counts", info=info)


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer ALRA."""
    return [Alra]
