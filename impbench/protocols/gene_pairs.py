"""Correlations of pairs of genes over cells, in blocks of cells."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench.metrics.blocks import centred_products


def pair_correlations(
    expression: NDArray[np.floating[Any]], genes: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Return Pearson's r over cells for every pair of `genes`, row by row of the upper triangle.

    Parameters
    ----------
    expression
        (cells, genes), log scale.
    genes
        Numbers of the genes to pair.

    Returns
    -------
    (pairs,) float32 from float64 sums; NaN where a gene is constant.
    """
    from threadpoolctl import threadpool_limits

    chosen = expression[:, genes]
    mean = chosen.mean(axis=0, dtype=np.float64)
    # One thread: several sum in whatever order they finish.
    with threadpool_limits(1):
        products = centred_products(chosen, mean).T
    norms = np.sqrt(np.diag(products))
    norms[np.ptp(chosen, axis=0) == 0] = np.nan
    products /= norms
    products /= norms[:, None]
    upper = products[np.triu_indices(len(genes), k=1)]
    return np.clip(upper, -1, 1).astype(np.float32)


def sample(n: int, most: int, seed: int) -> NDArray[np.intp]:
    """Return the numbers below `n`, or `most` of them drawn from `seed`, in order."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False))
