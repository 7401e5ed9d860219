"""Few coordinates for many genes: principal components, and t-SNE of them.

The same input gives the same output to the last bit, whatever number of threads is allowed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench.metrics.blocks import cell_blocks, centred_products

LARGE = 2500
"""Of this many cells and genes, an exact decomposition takes minutes: it grows with the cube."""


def principal_components(
    expression: NDArray[np.floating[Any]], n_components: int | None = None
) -> NDArray[np.float64]:
    """Project cells on the leading principal components of the centred, unscaled expression.

    Parameters
    ----------
    expression
        (cells, genes), log2 scale.
    n_components
        None takes MaskClass's D = max{2, min(50, N, G)} (section 2.8). There are never more than
        min(N, G), and those beyond the rank of the data are zero.

    Returns
    -------
    (cells, components), largest variance first. The sign is such that the entry of largest
    magnitude in each component is positive. They are exact up to rounding, or those of
    `first_components` where there are more than `LARGE` cells and as many genes.
    """
    smaller = min(expression.shape)
    wanted = max(2, min(50, smaller)) if n_components is None else n_components
    if smaller > LARGE:
        return first_components(expression, wanted).astype(np.float64)
    return _exact(expression, wanted)


def _exact(expression: NDArray[np.floating[Any]], wanted: int) -> NDArray[np.float64]:
    from scipy.linalg import eigh
    from threadpoolctl import threadpool_limits

    n_cells, n_genes = expression.shape
    smaller = min(n_cells, n_genes)
    leading = [max(0, smaller - wanted), smaller - 1]
    mean = expression.mean(axis=0, dtype=np.float64)
    with threadpool_limits(1):
        # The eigenvectors of the smaller of the two products give the components exactly, also
        # where the rank is low, and several times faster than a full decomposition.
        if n_cells <= n_genes:
            centred = expression.astype(np.float64) - mean
            values, vectors = eigh(centred @ centred.T, subset_by_index=leading)
            scores = vectors * np.sqrt(np.maximum(values, 0))
        else:
            values, vectors = eigh(centred_products(expression, mean), subset_by_index=leading)
            scores = np.vstack([(block - mean) @ vectors for (block,) in cell_blocks(expression)])
    scores[:, values <= values[-1] * smaller * np.finfo(np.float64).eps] = 0
    return _signed(scores[:, ::-1])


def first_components(
    expression: NDArray[np.floating[Any]], n_components: int
) -> NDArray[np.float32]:
    """Find a few components in single precision: to 10⁻⁵ of their variance, but faster.

    Lanczos iterations, from the same start every time, multiply by the centred expression, which is
    never formed. Components too small to tell from rounding are zero.

    Parameters
    ----------
    expression
        (cells, genes), log2 scale.
    n_components
        How many; more than a few are faster with `principal_components`.

    Returns
    -------
    (cells, components), largest variance first, signs as there.
    """
    from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh
    from threadpoolctl import threadpool_limits

    n_cells = len(expression)
    if min(expression.shape) < 10 * n_components:
        return _exact(expression, n_components).astype(np.float32)
    x = np.asarray(expression, dtype=np.float32)
    mean = x.mean(axis=0, dtype=np.float64).astype(np.float32)

    def multiply(cells: NDArray[np.float32]) -> NDArray[np.float32]:
        genes = x.T @ cells - mean * cells.sum()
        product: NDArray[np.float32] = x @ genes - mean @ genes
        return product

    operator = LinearOperator((n_cells, n_cells), matvec=multiply, dtype=np.float32)
    start = np.random.default_rng(0).standard_normal(n_cells, dtype=np.float32)
    with threadpool_limits(1):
        try:
            values, vectors = eigsh(operator, n_components, v0=start, tol=1e-5)
        except ArpackError:
            # All cells are alike, or nearly.
            return _exact(expression, n_components).astype(np.float32)
    values[values <= np.finfo(np.float32).eps * np.vdot(x, x)] = 0
    return _signed((vectors * np.sqrt(values))[:, ::-1])


def _signed(scores: NDArray[Any]) -> NDArray[Any]:
    """Turn each column so that its entry of largest magnitude is positive."""
    extremes = scores[np.abs(scores).argmax(axis=0), np.arange(scores.shape[1])]
    return np.ascontiguousarray(scores * np.where(extremes < 0, -1, 1).astype(scores.dtype))


def tsne(components: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Lay cells out in two dimensions by t-SNE, scikit-learn's defaults.

    Parameters
    ----------
    components
        (cells, components).
    seed
        Of the gradient descent; the start is the first two components.

    Returns
    -------
    (cells, 2). The perplexity is 30, or a third of the other cells where there are fewer than 91.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(30.0, (len(components) - 1) / 3)
    with threadpool_limits(1):
        layout = TSNE(2, perplexity=perplexity, init="pca", random_state=seed, n_jobs=1)
        return np.asarray(layout.fit_transform(components), dtype=np.float64)
