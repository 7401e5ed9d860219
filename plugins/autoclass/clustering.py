"""AutoClass's pre-clustering: the labels that its classifier learns to predict."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

DEFAULT_CLUSTERS = (8, 9, 10)


def cluster_numbers(k: int | None, n_cells: int) -> list[int]:
    """Return the numbers of clusters to try: K − 1, K and K + 1, or 8, 9 and 10 if K is None.

    They are kept between 1 and `n_cells`, and distinct.
    """
    wanted = DEFAULT_CLUSTERS if k is None else (k - 1, k, k + 1)
    return sorted({min(max(n, 1), n_cells) for n in wanted})


def components(lognorm: NDArray[np.float32], share: float, most: int) -> NDArray[np.float64]:
    """Return the cells' standardised principal components.

    Parameters
    ----------
    lognorm
        (cells, genes), log scale.
    share, most
        The first components that together reach this share of the variance, but not more than
        `most` of them.

    Returns
    -------
    (cells, components), each with mean 0 and population sd 1.
    """
    centred = lognorm - lognorm.mean(axis=0, dtype=np.float64)
    if lognorm.shape[0] > lognorm.shape[1]:
        variances, directions = np.linalg.eigh(centred.T @ centred)
        variances, directions = variances[::-1], directions[:, ::-1]
        scores = centred @ directions[:, :most]
    else:
        u, singular, _ = np.linalg.svd(centred, full_matrices=False)
        variances, scores = singular**2, u[:, :most] * singular[:most]
    reached = np.cumsum(variances)
    n = min(int(np.searchsorted(reached, share * reached[-1])) + 1, most)
    sd = scores[:, :n].std(axis=0)
    return np.asarray(scores[:, :n] / np.where(sd > 0, sd, 1))


def labels(scores: NDArray[np.float64], k: int, seed: int) -> NDArray[np.intp]:
    """Return k-means labels (k-means++, the best of 10 starts), (cells,), from 0 to k − 1."""
    fitted = KMeans(n_clusters=k, n_init=10, random_state=seed % 2**32).fit(scores)
    return np.asarray(fitted.labels_, dtype=np.intp)
