"""Scores that are a sum over cells divided by another, and how far chance in the cells moves them.

A deterministic imputer scores the same with every seed, so its spread over seeds is 0 and says
nothing of how sure its score is. What varies is which cells were measured. The bootstrap asks for
that: cells are drawn with replacement, the imputation held fixed, and the score is computed anew
(Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13, percentile interval).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

CellSums = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Numerator and denominator of every cell, (cells,) each; a score is Σ numerators / Σ denominators,
or the square root of that."""

RESAMPLES = 1000
MIN_CELLS = 10
"""Fewer cells give no interval: so few draws hardly differ."""

PIECES = 1000
"""More cells than that are first added up in as many random groups, which are then drawn: the
variance of a sum over cells stays what it is, and time no longer grows with their number."""

LEVEL = 0.95


def of_cells(sums: CellSums, root: bool = False) -> float:
    """Return the score; NaN where the denominators are 0."""
    total, entries = float(sums[0].sum()), float(sums[1].sum())
    if not entries:
        return math.nan
    return math.sqrt(total / entries) if root else total / entries


def intervals(sums: Sequence[CellSums], roots: Sequence[bool]) -> list[tuple[float, float] | None]:
    """Return the 95 % bootstrap interval of each score.

    Scores of as many cells are computed on the same draws, which are the same in every process, so
    equal imputations get equal intervals.

    Parameters
    ----------
    sums
        Of each score.
    roots
        Whether it is the square root of the ratio.

    Returns
    -------
    Lower and upper bound; None below `MIN_CELLS`, or where a draw has no score.
    """
    found: list[tuple[float, float] | None] = [None] * len(sums)
    by_size: dict[int, list[int]] = {}
    for i, (numerators, _) in enumerate(sums):
        by_size.setdefault(len(numerators), []).append(i)
    for n_cells, which in by_size.items():
        if n_cells < MIN_CELLS:
            continue
        columns = np.stack([part for i in which for part in sums[i]], axis=1)
        totals = _draws(min(n_cells, PIECES)) @ _pieces(columns)
        for place, i in enumerate(which):
            found[i] = _bounds(totals[:, 2 * place], totals[:, 2 * place + 1], roots[i])
    return found


def _bounds(
    totals: NDArray[np.float64], entries: NDArray[np.float64], root: bool
) -> tuple[float, float] | None:
    if not (entries > 0).all() or not np.isfinite(totals).all():
        return None
    scores = np.sqrt(totals / entries) if root else totals / entries
    low, high = np.quantile(scores, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _pieces(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add up random groups of cells where there are more than `PIECES`; (pieces, columns)."""
    n_cells = len(columns)
    if n_cells <= PIECES:
        return columns
    group = np.random.default_rng(n_cells).permutation(n_cells) % PIECES
    pieces = np.zeros((PIECES, columns.shape[1]))
    np.add.at(pieces, group, columns)
    return pieces


@lru_cache(maxsize=2)
def _draws(n: int) -> NDArray[np.float64]:
    """How often each of `n` was drawn, (resamples, n); seeded."""
    drawn = np.random.default_rng(0).integers(n, size=(RESAMPLES, n))
    flat = (drawn + np.arange(RESAMPLES)[:, np.newaxis] * n).ravel()
    counts = np.bincount(flat, minlength=RESAMPLES * n).astype(np.float64)
    counts.flags.writeable = False
    return counts.reshape(RESAMPLES, n)


def stacked(parts: Iterable[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> CellSums:
    """Join the sums of blocks of cells, in order."""
    blocks = list(parts)
    if not blocks:
        return np.zeros(0), np.zeros(0)
    numerators, denominators = zip(*blocks, strict=True)
    return np.concatenate(numerators), np.concatenate(denominators)
