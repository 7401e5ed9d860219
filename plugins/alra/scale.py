"""ALRA's own scale, ln(1 + 10⁴ count / library size), and the way back to counts."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from impbench.scale import Matrix, library_sizes

Floats = NDArray[np.float64]

TOTAL = 1e4
"""Counts per cell after normalisation."""


def log_normalised(counts: Matrix) -> Floats:
    """Return ln(1 + 10⁴ count / library size), dense, (cells, genes); an empty cell stays 0."""
    sizes = library_sizes(counts)
    if sp.issparse(counts):
        values = counts.astype(np.float64).toarray()
    else:
        values = np.array(counts, dtype=np.float64)
    values *= (TOTAL / np.where(sizes > 0, sizes, 1.0))[:, None]
    np.log1p(values, out=values)
    return values


def counts_from_log(values: Floats, counts: Matrix) -> NDArray[np.float32]:
    """Invert `log_normalised`: (e^value − 1) · library size / 10⁴, (cells, genes).

    Parameters
    ----------
    values
        (cells, genes).
    counts
        The observed ones, whose library sizes these are. Computed in float64, so that a value
        which is still the observed one gives back the observed count, to the last digit of
        float32.
    """
    result = np.empty(values.shape, dtype=np.float32)
    for row, value, size in zip(result, values, library_sizes(counts), strict=True):
        row[:] = np.expm1(value) * (size / TOTAL)
    return result
