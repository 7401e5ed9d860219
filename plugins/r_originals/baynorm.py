"""bayNorm as its authors wrote it, in R."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from impbench import Context, Imputed, Observed, parameter
from impbench.errors import InputError
from impbench.external.r import RPackage

from .original import CellsWithCounts, ROriginal

# Draws first, as by default: genes × cells × S. Its mean or mode comes from the same priors.
_BAYNORM = """
function(counts, beta, estimate, n_draws, ncores) {
  found <- bayNorm::bayNorm(
    counts, BETA_vec = beta, S = n_draws, parallel = ncores > 1L, NCores = ncores
  )
  molecules <- rowMeans(found$Bay_out, dims = 2)
  squares <- rowSums((found$Bay_out - as.vector(molecules))^2, dims = 2)
  if (estimate != "draws") {
    molecules <- bayNorm::bayNorm_sup(
      counts, PRIORS = found$PRIORS, input_params = found$input_params,
      mode_version = estimate == "mode", mean_version = estimate == "mean",
      parallel = ncores > 1L, NCores = ncores
    )$Bay_out
  }
  list(molecules = molecules, deviation = sqrt(squares / (n_draws - 1)))
}
"""

MEAN_CAPTURE = 0.06
"""Mean of β that bayNorm assumes."""

COPIES = 2
"""Of all draws: themselves, and their distances from the mean."""


class AllCells(CellsWithCounts):
    """The cells without counts too: bayNorm imputes them."""

    @property
    def used(self) -> NDArray[np.bool_]:
        """All of them, (cells,)."""
        return np.ones(self.observed.n_cells, dtype=np.bool_)


@dataclass(frozen=True)
class BayNormR(ROriginal):
    """`bayNorm::bayNorm` on counts, then `bayNorm::bayNorm_sup` for the mean or mode.

    It answers in original molecules, about the count divided by 0.06. These are multiplied by the
    cell's capture β, as in `baynorm`: counts in the cell's own library size. β is what bayNorm
    takes by default, 0.06 · library size / mean library size. An empty cell is imputed, with the
    smallest β of the others.

    The standard deviation is that of its default, `n_draws` draws, whichever estimate is asked for;
    it depends on the seed. The expression does so with ``estimate=draws`` alone.
    """

    name = "baynorm-r"
    summary = "The original bayNorm, in R; `baynorm` is the same without R"
    citation = (
        "Tang et al. (2020), bayNorm: Bayesian gene expression recovery, imputation and "
        "normalization for single-cell RNA-sequencing data, Bioinformatics 36:1174-1181"
    )
    package = RPackage("bayNorm", "Bioconductor")
    input_scale = "counts"
    gives = ("expression", "std")

    estimate: Literal["mean", "mode", "draws"] = parameter(
        "mean",
        "Of the posterior: its mean (mean_version), its mode (mode_version), or the mean of draws.",
    )
    n_draws: int = parameter(
        20, "Draws from the posterior, for the standard deviation.", min=2, symbol="S"
    )

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Call `bayNorm::bayNorm`; errors as `ROriginal.call`.

        Raises
        ------
        InputError
            If fewer than two cells have counts, a count is not whole, or the draws do not fit into
            memory.
        """
        counts = observed.dense_counts
        fractions = counts != np.rint(counts)
        if fractions.any():
            raise InputError(
                f"baynorm-r: bayNorm's likelihood is one of whole molecules; {fractions.sum()} "
                "counts have fractions"
            )
        n_used = int(counts.any(axis=1).sum())
        if n_used < 2:
            raise InputError(f"{self.name} needs at least 2 cells with counts, got {n_used}")
        context.need_memory(
            COPIES * 8 * counts.size * self.n_draws,
            f"{self.n_draws} draws of {observed.n_cells} cells × {observed.n_genes} genes",
        )
        cells = AllCells(observed, self.name)
        beta = default_capture(counts.sum(axis=1, dtype=np.float64))
        arguments = {
            "counts": cells.to_r(counts),
            "beta": beta,
            "estimate": self.estimate,
            "n_draws": self.n_draws,
            "ncores": context.threads,
        }
        result, versions = self.call(_BAYNORM, arguments, context)
        return Imputed(
            cells.from_r(result["molecules"], beta),
            "counts",
            std=cells.from_r(result["deviation"], beta),
            info={"versions": versions},
        )


def default_capture(library_size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return β as bayNorm has it where none is given, (cells,).

    Given to it all the same, because not every version returns what it took.
    """
    beta = library_size / library_size.mean() * MEAN_CAPTURE
    beta[beta >= 1] = beta[beta < 1].max()
    beta[beta <= 0] = beta[beta > 0].min()
    return beta
