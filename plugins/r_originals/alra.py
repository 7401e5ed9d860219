"""ALRA as its authors wrote it, in R."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from impbench import Context, Imputed, Observed, parameter
from impbench.errors import InputError
from impbench.external.r import RMatrix, RPackage

from .original import CellsWithCounts, ROriginal

# Cells are rows in ALRA. Without a gap that stands out, choose_k warns and returns -Inf.
_ALRA = """
function(counts, k, q, quantile) {
  normalised <- ALRA::normalize_data(t(counts))
  if (is.null(k)) k <- ALRA::choose_k(normalised)$k
  if (!is.finite(k)) return(list(k = NULL))
  completed <- ALRA::alra(normalised, k = k, q = q, quantile.prob = quantile)[[3]]
  list(k = k, completed = t(completed))
}
"""

TOTAL = 1e4
"""Counts per cell after `ALRA::normalize_data`, which then takes ln(1 + x)."""

N_VALUES = 100
"""Singular values that `ALRA::choose_k` looks at."""


@dataclass(frozen=True)
class AlraR(ROriginal):
    """`ALRA::alra` on `ALRA::normalize_data`, its rank from `ALRA::choose_k` unless given.

    Its third matrix, thresholded and rescaled, is the result; (eᵛ - 1) · library size / 10⁴ makes
    counts of it. Cells without counts, which it drops, come back as zeros. Rank 1 is not offered:
    ALRA 0.0.0.9000 fails there. It chooses no rank below 100 cells or genes.
    """

    name = "alra-r"
    summary = "The original ALRA, in R; `alra` is the same without R"
    citation = (
        "Linderman et al. (2022), Zero-preserving imputation of single-cell RNA-seq data, Nature "
        "Communications 13:192"
    )
    package = RPackage("ALRA", "KlugerLab/ALRA")
    input_scale = "counts"
    stochastic = True

    k: int | Literal["auto"] = parameter(
        "auto",
        "Rank; auto takes it from the singular values, which needs 100 cells and genes.",
        min=2,
        symbol="k",
    )
    n_power: int = parameter(10, "Power iterations of the approximation.", min=0, symbol="q")
    quantile: float = parameter(
        0.001,
        "A gene's threshold is the size of this quantile of its approximated values.",
        min=0,
        max=1,
    )

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Call `ALRA::alra`; errors as `ROriginal.call`.

        Raises
        ------
        InputError
            If there are too few cells or genes for the rank, or to choose one, or if no singular
            value stands out.
        """
        cells = CellsWithCounts(observed, self.name)
        counts = cells.to_r(observed.dense_counts)
        size = f"{counts.values.shape[1]} cells with counts × {observed.n_genes} genes"
        if self.k == "auto" and min(counts.values.shape) < N_VALUES:
            raise InputError(
                f"alra-r chooses its rank from {N_VALUES} singular values, so it needs at least "
                f"{N_VALUES} cells and {N_VALUES} genes; got {size}. Give the rank yourself, such "
                "as alra-r[k=10]"
            )
        if self.k != "auto" and self.k > min(counts.values.shape):
            raise InputError(f"alra-r: rank k={self.k} is more than {size} can have; lower k")
        arguments = {
            "counts": counts,
            "k": None if self.k == "auto" else self.k,
            "q": self.n_power,
            "quantile": self.quantile,
        }
        result, versions = self.call(_ALRA, arguments, context)
        if result["k"] is None:
            raise InputError(
                f"alra-r: no gap between singular values stands out from noise in {size}, so "
                "there is no rank to choose; give it yourself, such as alra-r[k=10]"
            )
        completed: RMatrix = result["completed"]
        normalised = RMatrix(np.expm1(completed.values), completed.rows, completed.columns)
        library_size = observed.dense_counts[cells.used].sum(axis=1, dtype=np.float64)
        info = {"k": int(result["k"][0]), "versions": versions}
        return Imputed(cells.from_r(normalised, library_size / TOTAL), "counts", info=info)
