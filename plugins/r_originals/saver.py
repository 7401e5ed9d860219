"""SAVER as its authors wrote it, in R."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impbench import Context, Imputed, Observed, parameter
from impbench.external.r import RPackage

from .original import CellsWithCounts, ROriginal

_SAVER = """
function(counts, ncores, ...) {
  SAVER::saver(counts, ncores = ncores, size.factor = NULL, estimates.only = FALSE, ...)[
    c("estimate", "se")
  ]
}
"""


@dataclass(frozen=True)
class SaverR(ROriginal):
    """`SAVER::saver` on raw counts; cells without counts, which it drops, come back as zeros.

    Estimate and standard deviation, which SAVER gives for the mean library size, are multiplied by
    its size factor (library size / mean library size): counts in the cell's own library size.
    """

    name = "saver-r"
    summary = "The original SAVER, in R; `saver` is the same without R"
    citation = (
        "Huang et al. (2018), SAVER: gene expression recovery for single-cell RNA sequencing, "
        "Nature Methods 15:539-542"
    )
    package = RPackage("SAVER", "CRAN")
    input_scale = "counts"
    gives = ("expression", "std")
    stochastic = True

    do_fast: bool = parameter(
        True, "Cross-validate some 200 genes only and derive λ of the others from them."
    )
    null_model: bool = parameter(False, "Predict every gene by its mean, without regressions.")

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Call `SAVER::saver`; errors as `ROriginal.call`."""
        cells = CellsWithCounts(observed, self.name)
        arguments = {"counts": cells.to_r(observed.dense_counts), "ncores": context.threads}
        # Only what differs from SAVER's own defaults: earlier versions lack these arguments.
        if not self.do_fast:
            arguments["do.fast"] = False
        if self.null_model:
            arguments["null.model"] = True
        result, versions = self.call(_SAVER, arguments, context)
        library_size = observed.dense_counts[cells.used].sum(axis=1, dtype=np.float64)
        size_factor = library_size / library_size.mean()
        return Imputed(
            cells.from_r(result["estimate"], size_factor),
            "counts",
            std=cells.from_r(result["se"], size_factor),
            info={"versions": versions},
        )
