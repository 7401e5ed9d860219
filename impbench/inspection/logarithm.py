"""Which logarithm was taken of which normalised counts, found out from the values alone.

A normalised count is n · T / N: a whole number n of the cell's own unit T / N, with T the sum that
every cell was brought to and N its library size. So under the right logarithm, and no other, all
values of a cell are whole multiples of one number, whatever genes were left out afterwards; and
where none were left out, they add up to T.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CELLS = 200
"""Cells looked at."""

VALUES = 300_000
"""Values looked at: as many cells as hold them."""

NOT_LOGGED = 1.0
"""Stands for no logarithm at all among the bases."""

BASES = (NOT_LOGGED, math.e, 2.0, 10.0)
LARGEST_SMALLEST = 6
"""The smallest count of a cell is 1 nearly always; up to this is tried."""

ROUNDING = 2.0**-22
"""Of float32, which the values were computed in at some time, in several steps."""

MOST_SLACK = 0.2
"""A value that may be off by more, in units of its cell, tells nothing."""

USUAL_SUMS = (1e3, 1e4, 1e5, 1e6)
"""Tried where the values of a cell do not add up to one sum, because genes were left out; the
smallest first, since whole library sizes are whole ten times as large too."""


@dataclass(frozen=True)
class Normalised:
    """How values were made of counts."""

    base: float | None
    """Of the logarithm of 1 + x; None if none was taken."""
    target_sum: float | None
    """What every cell was brought to; None if that cannot be told."""
    scaled: bool
    """Cells were divided by their library sizes, or anything else."""
    exact: bool
    """The counts can be had back exactly: every value is a whole multiple of its cell's unit."""
    all_genes: bool
    """The cells add up to `target_sum` over the genes that are there."""


def recover(values: sp.csr_matrix | sp.csc_matrix) -> Normalised | None:
    """Find out how non-negative values were made of counts.

    Parameters
    ----------
    values
        (cells, genes), whole cells, finite.

    Returns
    -------
    None if they are neither normalised counts nor logs of such.
    """
    values = _some_cells(values)
    values.sort_indices()
    if values.nnz == 0 or values.data.min() < 0:
        return None
    found = {base: _units(values, base) for base in BASES if _possible(values, base)}
    if not found:
        return None
    base, (units, certain) = max(found.items(), key=lambda item: np.isfinite(item[1][0]).mean())
    exact = bool(np.isfinite(units).all() and certain)
    known = units[np.isfinite(units)]
    if len(known) >= 0.9 * len(units):
        total, all_genes = _target_sum(values, base, known)
        scaled = not np.allclose(known, 1.0, rtol=1e-4)
        log = None if base == NOT_LOGGED else base
        return Normalised(log, total if scaled else None, scaled, exact, all_genes)
    for base in found:
        sums = _sums(values, base)
        if np.ptp(sums) < 1e-3 * sums.mean() and len(sums) > 1:
            log = None if base == NOT_LOGGED else base
            return Normalised(log, float(np.median(sums)), True, False, True)
    return None


def _some_cells(values: sp.csr_matrix | sp.csc_matrix) -> sp.csr_matrix:
    filled = np.flatnonzero(values.getnnz(axis=1))
    if not len(filled):
        return sp.csr_matrix(values[:0])
    average = max(1, values.nnz // len(filled))
    number = max(2, min(CELLS, VALUES // average))
    if len(filled) > number:
        filled = filled[np.linspace(0, len(filled) - 1, number).astype(int)]
    return sp.csr_matrix(values[filled], dtype=np.float64)


def _possible(values: sp.csr_matrix, base: float) -> bool:
    """Whether the values are small enough to be such logs."""
    return base == NOT_LOGGED or float(values.data.max()) * math.log(base) < 25


def _unlogged(data: Floats, base: float) -> Floats:
    if base == NOT_LOGGED:
        return data
    return np.asarray(np.expm1(data * math.log(base)))


def _units(values: sp.csr_matrix, base: float) -> tuple[Floats, bool]:
    """Find the number that all values of a cell are multiples of.

    Returns
    -------
    (cells,) units, NaN where there is none; and whether float32 is precise enough to tell for
    every value.
    """
    starts = values.indptr[:-1]
    filled = np.diff(values.indptr)
    plain = _unlogged(values.data, base)
    smallest = np.minimum.reduceat(plain, starts)
    logs = values.data * math.log(base) if base != NOT_LOGGED else np.zeros(len(plain))
    # What rounding of the stored value makes of the value behind the logarithm.
    error = ROUNDING * (plain + (base != NOT_LOGGED)) * (logs + 1)
    relative = np.repeat(np.minimum.reduceat(error, starts) / smallest, filled)
    found = np.full(len(filled), np.nan)
    vague = np.zeros(len(plain), dtype=bool)
    for multiple in range(1, LARGEST_SMALLEST + 1):
        unit = np.repeat(smallest / multiple, filled)
        ratio = plain / unit
        slack = error / unit + ratio * relative
        vague = slack > MOST_SLACK
        good = vague | (np.abs(ratio - np.rint(ratio)) <= slack)
        whole = np.logical_and.reduceat(good, starts) & np.isnan(found)
        found[whole] = smallest[whole] / multiple
        if not np.isnan(found).any():
            break
    return found, not vague.any()


def _sums(values: sp.csr_matrix, base: float) -> Floats:
    starts = values.indptr[:-1]
    return np.asarray(np.add.reduceat(_unlogged(values.data, base), starts))


def _target_sum(values: sp.csr_matrix, base: float, units: Floats) -> tuple[float | None, bool]:
    sums = _sums(values, base)
    if len(sums) > 1 and np.ptp(sums) < 1e-3 * sums.mean():
        return float(np.median(sums)), True
    for total in USUAL_SUMS:
        sizes = total / units
        slack = 8 * ROUNDING * sizes
        near = np.abs(sizes - np.rint(sizes)) <= slack
        if sizes.min() > 0.5 and slack.max() < MOST_SLACK and near.mean() > 0.95:
            return total, False
    return None, False
