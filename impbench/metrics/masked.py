"""Error on entries that were masked, on the log scale of the protocol.

Arguments are (entries,), hidden truth and imputation of the same entries. A score over no entries
is NaN.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from impbench.metrics.cells import CellSums
from impbench.metrics.metric import correlation, loss

Entries = NDArray[np.floating[Any]]


def _squares(
    masked_imputed: Entries, masked_truth: Entries, masked_counts: sp.csr_matrix
) -> CellSums:
    return _sums(np.square(masked_imputed - masked_truth), masked_counts)


def _sizes(
    masked_imputed: Entries, masked_truth: Entries, masked_counts: sp.csr_matrix
) -> CellSums:
    return _sums(np.abs(masked_imputed - masked_truth), masked_counts)


def _relative_squares(
    masked_imputed: Entries, masked_truth: Entries, masked_counts: sp.csr_matrix
) -> CellSums:
    squares, _ = _squares(masked_imputed, masked_truth, masked_counts)
    return squares, _sums(np.square(masked_truth), masked_counts)[0]


def _sums(of_entries: Entries, masked_counts: sp.csr_matrix) -> CellSums:
    """Add up over each cell; the entries stand row by row, as they are stored."""
    entries = np.diff(sp.csr_matrix(masked_counts).indptr)
    cells = np.repeat(np.arange(len(entries)), entries)
    totals = np.bincount(cells, weights=of_entries, minlength=len(entries))
    return totals.astype(np.float64), entries.astype(np.float64)


@loss(
    title="Masked RMSE",
    meaning=(
        "How far the values put in place of hidden counts are from these (root mean squared "
        "error, log scale)."
    ),
    unit="log",
    reference="√(Σ(x − x̂)² / m) over the masked entries; AutoImpute, Gene expression recovery",
    per_cell=_squares,
    root=True,
)
def masked_rmse(masked_imputed: Entries, masked_truth: Entries) -> float:
    """Root mean squared error over the masked entries."""
    return math.sqrt(masked_mse(masked_imputed, masked_truth))


@loss(
    title="Masked MAE",
    meaning=(
        "How far the values put in place of hidden counts are from these (mean absolute error, "
        "log scale)."
    ),
    unit="log",
    reference="Σ|x − x̂| / m over the masked entries; AutoImpute, Gene expression recovery",
    per_cell=_sizes,
)
def masked_mae(masked_imputed: Entries, masked_truth: Entries) -> float:
    """Mean absolute error over the masked entries."""
    if not len(masked_truth):
        return math.nan
    return float(np.abs(masked_imputed - masked_truth).mean(dtype=np.float64))


@loss(
    title="Masked NMSE",
    meaning="Error on hidden counts relative to their size: 1 is as bad as leaving them zero.",
    reference="‖x − x̂‖ / ‖x‖ over the masked entries; AutoImpute, Gene expression recovery",
    per_cell=_relative_squares,
    root=True,
)
def masked_nmse(masked_imputed: Entries, masked_truth: Entries) -> float:
    """Length of the error over length of the truth: 1 for an imputation of zeros.

    AutoImpute calls it the normalised mean squared error; it is the root of one.
    """
    length = float(np.linalg.norm(masked_truth))
    return float(np.linalg.norm(masked_imputed - masked_truth)) / length if length else math.nan


@loss(
    title="Masked MSE",
    meaning=(
        "How far the values put in place of hidden counts are from these (squared error, log "
        "scale)."
    ),
    unit="log²",
    reference="Σ(x − x̂)² / m over the masked entries; cnnImpute, Methods",
    per_cell=_squares,
)
def masked_mse(masked_imputed: Entries, masked_truth: Entries) -> float:
    """Mean squared error over the masked entries."""
    if not len(masked_truth):
        return math.nan
    return float(np.square(masked_imputed - masked_truth).mean(dtype=np.float64))


@correlation(
    title="Masked Pearson r",
    meaning=(
        "Whether hidden counts that were high come back high (correlation over all hidden entries)."
    ),
    reference="Pearson's r over the masked entries; cnnImpute, Methods",
)
def masked_pearson(masked_imputed: Entries, masked_truth: Entries) -> float:
    """Pearson correlation over the masked entries, all genes and cells together.

    An imputation of one value everywhere scores 0; NaN where the truth is constant.
    """
    if not len(masked_truth) or np.ptp(masked_truth) == 0:
        return math.nan
    if np.ptp(masked_imputed) == 0:
        return 0.0
    return float(np.corrcoef(masked_imputed, masked_truth)[0, 1])
