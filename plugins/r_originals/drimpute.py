"""DrImpute as its authors wrote it, in R."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from impbench import Context, Imputed, Observed, parameter
from impbench.errors import InputError
from impbench.external.r import RPackage

from .original import CellsWithCounts, ROriginal

# It sets its own seed. The names of the cells are lost in its result.
_DRIMPUTE = """
function(X, ks, method, seed, zerop) {
  DrImpute::DrImpute(X, ks = ks, method = method, seed = seed, zerop = zerop)
}
"""

MIN_CELLS = 10
"""DrImpute 1.0 fails below: 5 % of the cells, as numbers of components, round to none."""


@dataclass(frozen=True)
class DrImputeR(ROriginal):
    """`DrImpute::DrImpute` on log values; cells without counts stay as they are.

    Observed values change by rounding alone: it computes in single precision.

    Written for DrImpute 1.0 of CRAN. Whether CRAN still offers it or has archived it could not be
    looked up; where `install.packages` does not find it, take the tar file from CRAN's archive.
    DrImpute 1.2 on GitHub has neither `method`, `seed` nor `zerop`, and R refuses the call.
    """

    name = "drimpute-r"
    summary = "The original DrImpute, in R; `drimpute` is the same without R"
    citation = (
        "Gong et al. (2018), DrImpute: imputing dropout events in single cell RNA sequencing data, "
        "BMC Bioinformatics 19:220"
    )
    package = RPackage("DrImpute", "CRAN")
    input_scale = "lognorm"
    stochastic = True
    keeps_observed = True

    ks: tuple[int, ...] = parameter(
        (10, 11, 12, 13, 14, 15),
        "Numbers of clusters; each is used with Spearman's and with Pearson's correlation.",
        min=1,
    )
    combine: Literal["mean", "median"] = parameter(
        "mean", "Of a cluster, its zeros take the mean or the median."
    )
    dropout_target: float = parameter(
        0.0,
        "Least share of zeros in the result: below it the smallest imputed values become 0 again.",
        min=0,
        max=1,
        symbol="zerop",
    )

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        if not self.ks:
            raise InputError("drimpute-r: ks is empty; give at least one number, such as [10,11]")

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Call `DrImpute::DrImpute`; errors as `ROriginal.call`.

        Raises
        ------
        InputError
            If fewer than ten cells have counts, or no more of them differ than there are clusters.
        """
        cells = CellsWithCounts(observed, self.name)
        log_values = observed.lognorm[cells.used]
        if len(log_values) < MIN_CELLS:
            raise InputError(
                f"drimpute-r clusters on 5 % as many components as cells have counts, which are "
                f"none below {MIN_CELLS}; {len(log_values)} have"
            )
        n_distinct = len({row.tobytes() for row in log_values})
        if n_distinct <= max(self.ks):
            raise InputError(
                f"drimpute-r puts the cells into up to {max(self.ks)} clusters, so more than "
                f"{max(self.ks)} cells with counts must differ; {n_distinct} do. Give smaller "
                "numbers, such as drimpute-r[ks=[2,3]]"
            )
        arguments = {
            "X": cells.to_r(observed.lognorm),
            "ks": np.array(self.ks),
            "method": "med" if self.combine == "median" else "mean",
            "seed": context.seed,
            "zerop": self.dropout_target,
        }
        result, versions = self.call(_DRIMPUTE, arguments, context)
        return Imputed(cells.from_r(result), "lognorm", info={"versions": versions})
