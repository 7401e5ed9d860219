"""Groups of similar cells: principal components, outliers, spectral clustering (Li and Li 2018)."""

from __future__ import annotations

import numpy as np
from impbench_plugins.shared.dropout_mixture import POINT, Floats
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.sparse.linalg import eigsh
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

MANY_CELLS = 5000
"""From here on 60 % of the variance is kept, by randomised PCA, instead of 40 %."""
FEWEST_GENES = 500
WIDTH_CELLS = 1000
"""Cells, at most, on which the kernel's width is chosen."""
N_WIDTHS = 16
DENSE_CELLS = 1500
"""Up to this many cells all of the matrix is decomposed at once."""


def cell_coordinates(values: Floats, n_groups: int, seed: int) -> Floats:
    """Return the principal components that hold 40 % of the variance (60 % from 5000 cells).

    Parameters
    ----------
    values
        (cells, genes) log10(CPM + 1.01).
    n_groups
        At least as many components are kept, and at least 3.
    seed
        For the randomised PCA of many cells.

    Returns
    -------
    (cells, components)
    """
    genes = values[:, _variable_genes(values)]
    n_cells = len(genes)
    fewest = max(3, n_groups)
    largest = min(genes.shape)
    if not np.ptp(genes, axis=0).any():
        return np.zeros((n_cells, 1))
    if n_cells < MANY_CELLS:
        share, pca = 0.4, PCA(largest, svd_solver="full")
    else:
        share, pca = 0.6, PCA(min(largest, 300), svd_solver="randomized", random_state=seed)
    scores = pca.fit_transform(genes)
    reached = int(np.searchsorted(np.cumsum(pca.explained_variance_ratio_), share, "right")) + 1
    return np.ascontiguousarray(scores[:, : max(fewest, reached)])


def find_outliers(coordinates: Floats) -> NDArray[np.bool_]:
    """Tell which cells are far from every other: beyond Q3 + 1.5 IQR of nearest distances."""
    if len(coordinates) < 3:
        return np.zeros(len(coordinates), dtype=bool)
    near = NearestNeighbors(n_neighbors=1).fit(coordinates).kneighbors()[0][:, 0]
    lower, upper = np.quantile(near, [0.25, 0.75])
    return np.asarray(near > upper + 1.5 * (upper - lower))


def spectral_clusters(coordinates: Floats, n_groups: int, seed: int) -> NDArray[np.int64]:
    """Cluster by Ng, Jordan and Weiss (2002), a Gaussian kernel of the width they propose.

    That is the width, between the smallest and the largest distance of two cells, for which k-means
    on the embedding has the smallest sum of squares. The affinities of all pairs of cells are held
    at once: 8 N² bytes.

    Parameters
    ----------
    coordinates
        (cells, components).
    n_groups
        Clusters, at most one per cell.
    seed
        For the sample of cells that sets the width, and the starts of k-means.

    Returns
    -------
    (cells,) labels from 0.
    """
    if n_groups == 1:
        return np.zeros(len(coordinates), dtype=np.int64)
    rng = np.random.default_rng(seed)
    n_sampled = min(len(coordinates), WIDTH_CELLS)
    sample = np.sort(rng.choice(len(coordinates), n_sampled, replace=False))
    squares = cdist(coordinates[sample], coordinates[sample], "sqeuclidean")
    between = np.sqrt(squares[~np.eye(n_sampled, dtype=bool)])
    between = between[between > 0]
    if not between.size:
        return np.arange(len(coordinates)) % n_groups
    widths = np.geomspace(between.min(), between.max(), N_WIDTHS)
    totals = [_partition(squares.copy(), width, n_groups, seed, 5)[1] for width in widths]
    width = widths[int(np.argmin(totals))]
    squares = cdist(coordinates, coordinates, "sqeuclidean")
    return _partition(squares, width, n_groups, seed, 50)[0]


def _variable_genes(values: Floats) -> NDArray[np.intp]:
    """Return the genes that are expressed and vary, or all if those are fewer than 500.

    Over a gene's distinct values other than zero: mean at least 1 and a coefficient of variation of
    at least its lower quartile.
    """
    n_genes = values.shape[1]
    mean, variation = np.full(n_genes, np.nan), np.full(n_genes, np.nan)
    for gene in range(n_genes):
        distinct = np.unique(values[:, gene])
        distinct = distinct[np.abs(distinct - POINT) > 1e-10]
        if distinct.size:
            mean[gene] = distinct.mean()
        if distinct.size > 1:
            variation[gene] = distinct.std(ddof=1) / distinct.mean()
    if np.isnan(variation).all():
        return np.arange(n_genes)
    chosen = np.flatnonzero((mean >= 1) & (variation >= np.nanquantile(variation, 0.25)))
    return chosen if len(chosen) >= FEWEST_GENES else np.arange(n_genes)


def _partition(
    squares: Floats, width: float, n_groups: int, seed: int, n_starts: int
) -> tuple[NDArray[np.int64], float]:
    """Cluster cells by their squared distances; return labels and k-means' sum of squares.

    Overwrites `squares`.
    """
    squares /= -2.0 * width**2
    affinity = np.exp(squares, out=squares)
    np.fill_diagonal(affinity, 0.0)
    degree = np.sqrt(np.maximum(affinity.sum(axis=1), 1e-300))
    affinity /= degree[:, None]
    affinity /= degree
    n = len(affinity)
    if n <= DENSE_CELLS:
        vectors = eigh(affinity, subset_by_index=(n - n_groups, n - 1))[1]
    else:
        vectors = eigsh(affinity, n_groups, which="LA", v0=np.ones(n))[1]
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-300)
    fit = KMeans(n_groups, n_init=n_starts, random_state=seed, algorithm="lloyd").fit(vectors)
    return fit.labels_.astype(np.int64), float(fit.inertia_)
