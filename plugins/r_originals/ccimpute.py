"""ccImpute as its authors wrote it, in R, in both generations of its interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from impbench import Context, Imputed, Observed, parameter
from impbench.external.r import RPackage

from .original import CellsWithCounts, ROriginal

# Up to Bioconductor 3.18 a matrix goes in and comes out, later a SingleCellExperiment. Workers of
# BiocParallel have random numbers of their own, which set.seed does not reach.
_CCIMPUTE = """
function(logX, ncores, seed, ...) {
  workers <- if (ncores > 1L) {
    BiocParallel::MulticoreParam(ncores, RNGseed = seed)
  } else {
    BiocParallel::SerialParam(RNGseed = seed)
  }
  if ("logX" %in% names(formals(ccImpute::ccImpute))) {
    return(ccImpute::ccImpute(logX, ..., BPPARAM = workers))
  }
  cells <- SingleCellExperiment::SingleCellExperiment(assays = list(logcounts = logX))
  SummarizedExperiment::assay(ccImpute::ccImpute(cells, ..., BPPARAM = workers), "imputed")
}
"""


@dataclass(frozen=True)
class CcImputeR(ROriginal):
    """`ccImpute::ccImpute` on log values; cells without counts stay as they are.

    Its k-means starts so often (1000 times up to 2000 cells) that seeds make no difference there.
    """

    name = "ccimpute-r"
    summary = "The original ccImpute, in R; `ccimpute` is the same without R"
    citation = (
        "Malec et al. (2022), ccImpute: an accurate and scalable consensus clustering based "
        "algorithm to impute dropout events in the single-cell RNA-seq data, BMC Bioinformatics "
        "23:291"
    )
    package = RPackage("ccImpute", "Bioconductor")
    input_scale = "lognorm"
    keeps_observed = True

    n_groups: int | None = parameter(
        None,
        "Clusters of cells; none takes the data's own number, or else the package's estimate.",
        min=1,
        symbol="k",
    )

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Call `ccImpute::ccImpute`; errors as `ROriginal.call`."""
        cells = CellsWithCounts(observed, self.name)
        arguments: dict[str, Any] = {
            "logX": cells.to_r(observed.lognorm),
            "ncores": context.threads,
            "seed": context.seed,
        }
        n_groups = self.n_groups or observed.n_groups
        if n_groups is not None:
            arguments["k"] = n_groups
        result, versions = self.call(_CCIMPUTE, arguments, context)
        info = {"n_groups": n_groups, "versions": versions}
        return Imputed(cells.from_r(result), "lognorm", info=info)
