"""Differential expression of each group of cells against all other cells.

The tests are those of scanpy's ``rank_genes_groups`` (Wolf, Angerer and Theis 2018, Genome Biology
19:15), against which ours are tested; ours rank a gene once for all groups, in little memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from impbench.protocols.gene_spread import sum_by_group

Test = Literal["wilcoxon", "t-test"]
Values = NDArray[np.floating[Any]]
GENES_AT_ONCE = 64


@dataclass(frozen=True)
class Tested:
    """Tests of every gene in some groups of cells, each against all other cells."""

    groups: NDArray[Any]
    """(groups,) names of the groups tested, sorted."""
    scores: NDArray[np.float64]
    """(groups, genes) z of Wilcoxon's rank sum or Welch's t, positive where the group is higher;
    0 for a gene that is the same in all cells."""
    p_values: NDArray[np.float64]
    """(groups, genes), two-sided, not adjusted; 1 where the score is 0 by definition."""


def compare(expression: Values, groups: NDArray[Any], test: Test) -> Tested:
    """Test every gene in every group of two cells or more that leaves two others.

    Parameters
    ----------
    expression
        (cells, genes), log scale.
    groups
        (cells,) group of each cell.
    test
        ``"wilcoxon"``: rank sums in the normal approximation, corrected for ties. ``"t-test"``:
        Welch's, which does not assume equal variances.
    """
    names, of_cell, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    tested = (sizes > 1) & (len(groups) - sizes > 1)
    run = _wilcoxon if test == "wilcoxon" else _welch
    scores, p_values = run(expression, of_cell, sizes.astype(np.float64))
    return Tested(names[tested], scores[tested], p_values[tested])


def adjusted(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Control the false discovery rate among the last axis's p values (Benjamini and Hochberg)."""
    from scipy.stats import false_discovery_control

    return np.asarray(false_discovery_control(p_values, axis=-1), dtype=np.float64)


def mean_by_group(expression: Values, groups: NDArray[Any]) -> NDArray[np.float64]:
    """Return mean normalised counts, 2^x - 1 and at least 0, of each group and of all others.

    Parameters
    ----------
    expression
        (cells, genes), log2(1 + x) scale.
    groups
        (cells,), two groups or more.

    Returns
    -------
    (2, groups, genes), groups sorted: the group's means, then those of all other cells.
    """
    names, of_cell = np.unique(groups, return_inverse=True)
    sums = sum_by_group(expression, of_cell, len(names))
    sizes = np.bincount(of_cell)[:, None]
    return np.stack([sums / sizes, (sums.sum(axis=0) - sums) / (len(groups) - sizes)])


def log_fold_changes(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log2((1 + mean of the group) / (1 + mean of the others)), (groups, genes).

    One is added so that genes without counts in a group have a finite change.
    """
    # Means of equal values differ in their last digits, summed in another order.
    same = np.isclose(means[0], means[1], rtol=1e-9, atol=0)
    return np.where(same, 0.0, np.log2(1 + means[0]) - np.log2(1 + means[1]))


def _genes(expression: Values) -> Iterator[tuple[int, Values]]:
    """Yield every gene's number and its values in all cells, contiguous."""
    for start in range(0, expression.shape[1], GENES_AT_ONCE):
        rows = np.ascontiguousarray(expression[:, start : start + GENES_AT_ONCE].T)
        yield from enumerate(rows, start)


def _wilcoxon(
    expression: Values, of_cell: NDArray[np.intp], sizes: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from scipy.special import ndtr

    n_cells = len(of_cell)
    scores = np.zeros((len(sizes), expression.shape[1]))
    for gene, values in _genes(expression):
        order = values.argsort()
        ordered = values[order]
        first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        tied = np.diff(np.r_[first, n_cells]).astype(np.float64)
        if len(tied) == 1:
            continue
        ranks = np.repeat(first + (tied + 1) / 2, tied.astype(np.intp))
        rank_sums = np.bincount(of_cell[order], weights=ranks, minlength=len(sizes))
        kept = 1 - ((tied**3 - tied) / (float(n_cells) ** 3 - n_cells)).sum()
        variance = kept * sizes * (n_cells - sizes) * (n_cells + 1) / 12
        expected = sizes * (n_cells + 1) / 2
        scores[:, gene] = (rank_sums - expected) / np.sqrt(np.where(variance > 0, variance, np.inf))
    return scores, 2 * ndtr(-np.abs(scores))


def _welch(
    expression: Values, of_cell: NDArray[np.intp], sizes: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from scipy.stats import t as student

    shape = (len(sizes), expression.shape[1])
    mean, variance, rest_mean, rest_variance = np.zeros((4, *shape))
    rest = len(of_cell) - sizes
    several, several_rest = np.maximum(sizes - 1, 1), np.maximum(rest - 1, 1)
    for gene, values in _genes(expression):
        # Centred, so that the sums of squares keep their digits.
        centred = values.astype(np.float64) - values.mean(dtype=np.float64)
        if np.ptp(values) == 0:
            continue
        sums = np.bincount(of_cell, weights=centred, minlength=len(sizes))
        squares = np.bincount(of_cell, weights=centred**2, minlength=len(sizes))
        others, other_squares = sums.sum() - sums, squares.sum() - squares
        mean[:, gene], rest_mean[:, gene] = sums / sizes, others / np.maximum(rest, 1)
        variance[:, gene] = np.maximum(squares - sums**2 / sizes, 0) / several
        spread = np.maximum(other_squares - others**2 / np.maximum(rest, 1), 0)
        rest_variance[:, gene] = spread / several_rest
    a, b = variance / sizes[:, None], rest_variance / np.maximum(rest, 1)[:, None]
    error = np.sqrt(a + b)
    tiny = np.finfo(np.float64).tiny
    freedom = (a + b) ** 2 / np.maximum(
        a**2 / several[:, None] + b**2 / several_rest[:, None], tiny
    )
    difference = mean - rest_mean
    # Two groups without any spread that differ are as far apart as can be.
    scores = np.where(difference == 0, 0.0, difference / np.maximum(error, tiny**0.25))
    p_values = 2 * student.sf(np.abs(scores), np.maximum(freedom, 1))
    return scores, np.where(difference == 0, 1.0, p_values)
