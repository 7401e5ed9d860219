"""scImpute as its authors wrote it, in R; it reads and writes files."""

from __future__ import annotations

from dataclasses import dataclass

from impbench import Context, Imputed, Observed, parameter
from impbench.errors import InputError
from impbench.external.r import RPackage

from .original import CellsWithCounts, ROriginal

_SCIMPUTE = """
function(counts, drop_thre, Kcluster, ncores) {
  folder <- tempfile("scimpute-")
  dir.create(folder)
  on.exit(unlink(folder, recursive = TRUE))
  given <- file.path(folder, "given.rds")
  saveRDS(counts, given)
  scImpute::scimpute(
    count_path = given, infile = "rds", outfile = "rds", out_dir = paste0(folder, "/"),
    labeled = FALSE, drop_thre = drop_thre, Kcluster = Kcluster, ncores = ncores
  )
  as.matrix(readRDS(file.path(folder, "scimpute_count.rds")))
}
"""


@dataclass(frozen=True)
class ScImputeR(ROriginal):
    """`scImpute::scimpute` on raw counts; cells without counts stay as they are.

    Seeds are fixed inside the package: ours makes no difference.
    """

    name = "scimpute-r"
    summary = "The original scImpute, in R; `scimpute` is the same without R"
    citation = (
        "Li & Li (2018), An accurate and robust imputation method scImpute for single-cell RNA-seq "
        "data, Nature Communications 9:997"
    )
    package = RPackage("scImpute", "Vivianstats/scImpute")
    input_scale = "counts"

    n_groups: int | None = parameter(
        None, "Groups of cells; none takes the data's own number.", min=1, symbol="K"
    )
    threshold: float = parameter(
        0.5, "Values with a larger dropout probability are imputed.", min=0, max=1, symbol="t"
    )

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Call `scImpute::scimpute`; errors as `ROriginal.call`.

        Raises
        ------
        InputError
            If the number of groups is neither given nor known.
        """
        n_groups = self.n_groups or observed.n_groups
        if n_groups is None:
            raise InputError(
                "scimpute-r needs the number of cell groups, and these data do not carry one: pass "
                "scimpute-r[n_groups=K]"
            )
        cells = CellsWithCounts(observed, self.name)
        arguments = {
            "counts": cells.to_r(observed.dense_counts),
            "drop_thre": self.threshold,
            "Kcluster": n_groups,
            "ncores": context.threads,
        }
        result, versions = self.call(_SCIMPUTE, arguments, context)
        info = {"n_groups": n_groups, "versions": versions}
        return Imputed(cells.from_r(result), "counts", info=info)
