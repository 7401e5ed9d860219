"""bayNorm: the posterior of how many molecules a cell held, given those that were caught."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter

__all__ = ["BayNorm"]


@dataclass(frozen=True)
class BayNorm(Imputer):
    """Negative binomial prior per gene, binomial capture per cell (Tang et al. 2020).

    Follows bayNorm 1.5.14. The original answers in original molecules, about the count divided by
    0.06; here these and their standard deviation are multiplied by the cell's capture β, which
    makes them expected counts in the cell's own library size, whatever `Observed.size_factors`
    says. Only with ``estimate=draws`` does the seed matter.

    An empty cell is imputed, as by the original: it takes the smallest β of the others.
    """

    name = "baynorm"
    summary = "Posterior of the molecules before capture: binomial capture, prior per gene"
    citation = (
        "Tang et al. (2020), bayNorm: Bayesian gene expression recovery, imputation and "
        "normalization for single-cell RNA-sequencing data, Bioinformatics 36:1174-1181"
    )
    input_scale = "counts"
    gives = ("expression", "std")
    packages = ("numba",)

    estimate: Literal["mean", "mode", "draws"] = parameter(
        "mean", "Of the posterior: its mean, its mode, or the mean of draws from it."
    )
    n_draws: int = parameter(20, "Draws, for estimate=draws.", min=1, symbol="S")
    capture: float | tuple[float, ...] | None = parameter(
        None, "Share of its molecules caught in each cell, or one for all cells.", symbol="β"
    )
    mean_capture: float = parameter(
        0.06,
        "Mean of the shares where none are given; they are in proportion to library sizes.",
        min=1e-6,
        max=1,
        symbol="β̄",
    )
    capture_from: Literal["library", "steady-genes"] = parameter(
        "library",
        "Library sizes of all genes, or of those with few zeros and no outlying cell "
        "(the paper's; the program's BetaFun).",
    )
    prior: Literal["shared", "batch"] = parameter(
        "shared", "One prior for all cells (the program's GG), or one per batch (LL)."
    )
    size: Literal["adjusted", "moment"] = parameter(
        "adjusted", "The prior's size: corrected by the marginal likelihood, or of the moments."
    )
    divide_by: float | None = parameter(
        None,
        "Divide counts of reads by this and round, before all else; expected counts are "
        "multiplied by it again (the program's UMI_sffl).",
        min=1e-6,
    )

    def prepare(self, context: Context) -> None:
        """Compile the likelihood, and import what computes."""
        from . import method  # noqa: F401
        from .likelihood import compile_likelihood

        compile_likelihood()

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Estimate capture and prior, then the posterior of every entry.

        Raises
        ------
        InputError
            If there is no count, a count is not whole, or too few genes vary for a prior.
        """
        from .method import BayNormSettings, impute

        return impute(observed, context, BayNormSettings(**self.parameters()))


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer bayNorm."""
    return [BayNorm]
