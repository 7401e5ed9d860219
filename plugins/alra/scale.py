"""ALRA's own scale, ln(1 + 10⁴ count / library size), and the way back to counts."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from impbench import large
from impbench.scale import Matrix, library_sizes

Floats = NDArray[np.float64]

TOTAL = 1e4
"""Counts per cell after normalisation."""


def log_normalised(counts: Matrix) -> Floats:
    """Return ln(1 + 10⁴ count / library size), dense, (cells, genes); an empty cell stays 0."""
    sizes = library_sizes(counts)
    factors = (TOTAL / np.where(sizes > 0, sizes, 1.0))[:, None]
    values: Floats = large.empty(counts.shape, np.float64)
    for cells in large.some_rows(values, counts):
        values[cells] = counts[cells].toarray() if sp.issparse(counts) else counts[cells]
        values[cells] *= factors[cells]
        np.log1p(values[cells], out=values[cells])
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
    result = large.like(values, np.float32)
    factors = (library_sizes(counts) / TOTAL)[:, None]
    for cells in large.some_rows(result, values):
        result[cells] = np.expm1(values[cells]) * factors[cells]
    return result
