"""Pearson correlation with the truth, gene by gene and cell by cell.

Arguments are (cells, genes) on the log2(1 + x) scale; sums are float64, in blocks of cells. A gene
(or cell) whose truth is constant has no correlation for any method and is left out; one that only
the imputation makes constant counts as 0, so that all methods are averaged over the same genes. If
every truth is constant the score is NaN.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench import large
from impbench.metrics.blocks import cell_blocks
from impbench.metrics.metric import correlation

Values = NDArray[np.floating[Any]]


@correlation(
    title="Pearson r, genes",
    meaning=(
        "Whether each gene is high in the cells where it truly is high; mean correlation over "
        "genes."
    ),
    reference="mean over genes of Pearson's r over cells, log2 scale",
)
def pearson_gene(imputed: Values, truth: Values) -> float:
    """Mean over genes of the correlation with the truth over cells."""
    (mean_x, constant_x), (mean_true, constant_true) = map(_means, (imputed, truth))
    products, squares_x, squares_true = np.zeros((3, truth.shape[1]))
    for x, true in cell_blocks(imputed, truth):
        x -= mean_x
        true -= mean_true
        products += np.einsum("ij,ij->j", x, true)
        squares_x += np.einsum("ij,ij->j", x, x)
        squares_true += np.einsum("ij,ij->j", true, true)
    squares_x[constant_x] = 0
    squares_true[constant_true] = 0
    return _mean_correlation(products, squares_x, squares_true)


@correlation(
    title="Pearson r, cells",
    meaning=(
        "Whether each cell is high in the genes that truly are high in it; mean correlation over "
        "cells."
    ),
    reference="mean over cells of Pearson's r over genes, log2 scale",
)
def pearson_cell(imputed: Values, truth: Values) -> float:
    """Mean over cells of the correlation with the truth over genes."""
    sums, constant = [], []
    for x, true in cell_blocks(imputed, truth):
        constant.append([(values == values[:, :1]).all(axis=1) for values in (x, true)])
        x -= x.mean(axis=1, keepdims=True)
        true -= true.mean(axis=1, keepdims=True)
        sums.append([np.einsum("ij,ij->i", *pair) for pair in ((x, true), (x, x), (true, true))])
    products, squares_x, squares_true = np.concatenate(sums, axis=1)
    constant_x, constant_true = np.concatenate(constant, axis=1)
    squares_x[constant_x] = 0
    squares_true[constant_true] = 0
    return _mean_correlation(products, squares_x, squares_true)


def _means(values: Values) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return each gene's mean, and whether it is the same in all cells."""
    found = values.mean(axis=0, dtype=np.float64), np.ptp(values, axis=0) == 0
    large.release(values)
    return found


def _mean_correlation(
    products: NDArray[np.float64], squares_x: NDArray[np.float64], squares_true: NDArray[np.float64]
) -> float:
    """Average r = Σxy / √(Σx² Σy²) where Σy² > 0; r is 0 where only Σx² is 0."""
    defined = squares_true > 0
    if not defined.any():
        return math.nan
    norms = np.sqrt(squares_x) * np.sqrt(squares_true)
    r = np.divide(products, norms, out=np.zeros_like(products), where=norms != 0)
    return float(np.clip(r[defined], -1, 1).mean())
