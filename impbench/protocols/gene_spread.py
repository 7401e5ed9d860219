"""How one gene's expression spreads over cells: inequality, variation, zeros.

Arguments are (cells, genes), log2(1 + x) scale; everything is taken of 2^x - 1, at least 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench.metrics.blocks import BLOCK, cell_blocks

Values = NDArray[np.floating[Any]]


def gini(expression: Values) -> NDArray[np.float64]:
    """Return each gene's Gini coefficient over the cells, (genes,).

    G = Σ_i Σ_j |x_i - x_j| / (2 N² mean) (cnnImpute, Methods), in O(N log N): the ordered x_i
    stands in half that sum 2 i - N - 1 times, so G = Σ_i (2 i - N - 1) x_i / (N Σ x).
    It is 0 where all cells are equal and 1 - 1/N where one has everything; NaN for a gene
    without expression.
    """
    n_cells, n_genes = expression.shape
    weights = 2.0 * np.arange(1, n_cells + 1) - n_cells - 1
    found = np.full(n_genes, np.nan)
    step = max(1, BLOCK // max(1, n_cells))
    for start in range(0, n_genes, step):
        counts = _counts(expression[:, start : start + step].T.astype(np.float64))
        counts.sort(axis=1)
        totals = counts.sum(axis=1)
        with np.errstate(invalid="ignore"):
            found[start : start + step] = (counts * weights).sum(axis=1) / (n_cells * totals)
    # Equal cells may leave a last digit.
    return np.asarray(np.maximum(found, 0))


def variation_by_type(expression: Values, labels: NDArray[Any]) -> NDArray[np.float64]:
    """Return the coefficient of variation of every gene within every type, (types, genes).

    Standard deviation (over N) by mean; NaN where the type shows nothing of the gene, or is one
    cell. Types are sorted.
    """
    names, of_cell, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    mean = sum_by_group(expression, of_cell, len(names)) / sizes[:, None]
    squares = sum_by_group(expression, of_cell, len(names), centre=mean)
    deviation = np.sqrt(squares / sizes[:, None])
    defined = (mean > 0) & (sizes > 1)[:, None]
    return np.divide(deviation, mean, out=np.full_like(mean, np.nan), where=defined)


def sum_by_group(
    expression: Values,
    of_cell: NDArray[np.intp],
    n_groups: int,
    centre: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Sum 2^x - 1, at least 0, over the cells of every group, (groups, genes).

    With `centre`, (groups, genes), the squared differences from the group's centre are summed.
    """
    from threadpoolctl import threadpool_limits

    sums = np.zeros((n_groups, expression.shape[1]))
    start = 0
    # One thread: several sum in whatever order they finish.
    with threadpool_limits(1):
        for (values,) in cell_blocks(expression):
            of_row = of_cell[start : start + len(values)]
            start += len(values)
            counts = _counts(values)
            if centre is not None:
                counts = np.square(counts - centre[of_row])
            sums += (of_row == np.arange(n_groups)[:, None]).astype(np.float64) @ counts
    return sums


def zero_share(expression: Values, zero: float) -> NDArray[np.float64]:
    """Return the share of cells in which a gene's normalised count is `zero` or less, (genes,)."""
    found = np.zeros(expression.shape[1])
    for (values,) in cell_blocks(expression):
        found += (values <= np.log2(1 + zero)).sum(axis=0)
    return found / len(expression)


def expression_bins(level: NDArray[np.float64], bins: int) -> NDArray[np.intp]:
    """Return each gene's bin: 0 for no expression, else 1 (lowest) to `bins`, equally filled.

    Equal levels fall in the order of the genes.
    """
    expressed = np.flatnonzero(level > 0)
    places = np.argsort(np.argsort(level[expressed], kind="stable"), kind="stable")
    found = np.zeros(len(level), dtype=np.intp)
    found[expressed] = 1 + places * bins // max(1, len(expressed))
    return found


def _counts(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.maximum(np.exp2(values) - 1, 0))
