"""How DrImpute fills zeros from given clusterings (Gong et al. 2018, Methods)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

GENES = 256
"""Genes filled at once: bounds memory."""


def fill_zeros(
    lognorm: Float32, labels: NDArray[np.int64], combine: Literal["mean", "median"] = "mean"
) -> Float32:
    """Replace each zero by the mean or median, over the clusterings, of its gene's cluster means.

    Parameters
    ----------
    lognorm
        (cells, genes). Zeros count in the means.
    labels
        (cells, clusterings), from 0.

    Returns
    -------
    (cells, genes) float32; non-zeros as they were.
    """
    averages = [_averages(column) for column in labels.T]
    result = lognorm.copy()
    for start in range(0, lognorm.shape[1], GENES):
        genes = slice(start, start + GENES)
        values = lognorm[:, genes].astype(np.float64)
        by_clustering = (
            (average @ values)[column] for average, column in zip(averages, labels.T, strict=True)
        )
        if combine == "mean":
            filled = sum(by_clustering, np.zeros_like(values)) / len(averages)
        else:
            filled = np.median(list(by_clustering), axis=0)
        result[:, genes] = np.where(values == 0, filled, values)
    return result


def restore_zeros(filled: Float32, lognorm: Float32, target: float) -> int:
    """Set the smallest imputed values back to 0, in place, until `target` of all entries are 0.

    Equal values go together; observed values stay, even if the target is then not reached.

    Returns
    -------
    Number of values set back.
    """
    missing = int(np.ceil(target * filled.size)) - int((filled == 0).sum())
    imputed = (lognorm == 0) & (filled > 0)
    n_imputed = int(imputed.sum())
    if missing <= 0 or n_imputed == 0:
        return 0
    last = min(missing, n_imputed) - 1
    limit = np.partition(filled[imputed], last)[last]
    small = imputed & (filled <= limit)
    filled[small] = 0
    return int(small.sum())


def _averages(labels: NDArray[np.int64]) -> sp.csr_matrix:
    """Return the matrix, (clusters, cells), that takes cells to the means of their clusters."""
    sizes = np.bincount(labels)
    weights = 1 / sizes[labels]
    return sp.csr_matrix((weights, (labels, np.arange(len(labels)))))
