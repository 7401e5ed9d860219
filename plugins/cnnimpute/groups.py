"""Groups of cells for cnnImpute: t-SNE in three dimensions, density peaks, k-means from them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from impbench.errors import InputError

from .density_peaks import density_peaks

N_COMPONENTS = 50
PERPLEXITY = 30
LEARNING_RATE = 200.0 / 4
N_DIMENSIONS = 3
"""t-SNE as the R package Rtsne has it by default, but in three dimensions. Rtsne's learning rate is
200; scikit-learn leaves a factor of 4 out of the gradient's definition."""
MOST_CELLS_EXACT = 300
"""Up to this many cells, t-SNE without the Barnes-Hut approximation is the faster one."""
N_CLUSTERS = range(2, 11)


def find_groups(
    values: NDArray[Any], n_clusters: int | None, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Group the cells.

    Parameters
    ----------
    values
        (cells, genes) ln(1 + CPM); at least 4 cells.
    n_clusters
        How many groups; None lets the density peaks say, from 2 to 10.
    seed
        For t-SNE.

    Returns
    -------
    Labels from 0, (cells,), and the t-SNE coordinates, (cells, 3).

    Raises
    ------
    InputError
        If there are not that many cells dense enough to be a centre.
    """
    coordinates = embed(values, seed)
    if n_clusters == 1:
        return np.zeros(len(values), dtype=np.intp), coordinates
    candidates = N_CLUSTERS if n_clusters is None else (n_clusters,)
    centres = density_peaks(coordinates, [k for k in candidates if k <= len(values)])
    if not len(centres):
        raise InputError(
            f"cnnimpute: {n_clusters} clusters are too many for {len(values)} cells with counts; "
            "pass a smaller n_clusters"
        )
    fit = KMeans(len(centres), init=coordinates[centres], n_init=1).fit(coordinates)
    return fit.labels_.astype(np.intp), coordinates


def embed(values: NDArray[Any], seed: int) -> NDArray[np.float64]:
    """Return t-SNE coordinates of the leading principal components, (cells, 3).

    The perplexity is 30, or a third of the other cells where that is less.
    """
    n_cells, n_genes = values.shape
    seed %= 2**32
    n_components = min(N_COMPONENTS, n_cells, n_genes)
    components = PCA(n_components, random_state=seed).fit_transform(values)
    tsne = TSNE(
        N_DIMENSIONS,
        perplexity=min(PERPLEXITY, (n_cells - 1) / 3),
        learning_rate=LEARNING_RATE,
        init="random",
        method="exact" if n_cells <= MOST_CELLS_EXACT else "barnes_hut",
        random_state=seed,
    )
    return np.asarray(tsne.fit_transform(components), dtype=np.float64)
