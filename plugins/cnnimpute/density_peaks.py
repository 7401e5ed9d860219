"""Adaptive density peak clustering: centres are dense points far from any denser one.

Wang and Xu (2015), Fast clustering using adaptive density peak detection, Stat. Methods Med. Res.
26:2800, and their R package ADPclust, after Rodriguez and Laio (2014). The density is a Gaussian
kernel estimate; bandwidth, number of clusters and the least density of a centre are those with the
best mean silhouette.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

Floats = NDArray[np.float64]

BANDWIDTHS = np.linspace(1 / 3, 3, 10)
"""Tried, as multiples of the bandwidth for normal data."""
DENSITY_CUTS = (0.1, 0.2, 0.3)
"""Centres are denser than this share of the points; each is tried."""


def density_peaks(points: Floats, n_clusters: Sequence[int]) -> NDArray[np.intp]:
    """Find the centres of clusters, with each coordinate divided by its standard deviation.

    Holds the distances of all pairs of points thrice, 24 N² bytes.

    Parameters
    ----------
    points
        (points, dimensions).
    n_clusters
        Numbers of clusters to try, each at least 2 and at most the number of points.

    Returns
    -------
    Indices of the centres, the one farthest from any denser point first.
    """
    deviation = points.std(axis=0, ddof=1)
    scaled = points / np.where(deviation > 0, deviation, 1)
    distances = cdist(scaled, scaled)
    squares = distances**2
    h = normal_bandwidth(*points.shape)
    best, best_silhouette = np.empty(0, np.intp), -np.inf
    tried = set()
    for multiple in BANDWIDTHS:
        kernel = squares / (-2 * (multiple * h) ** 2)
        density = np.exp(kernel, out=kernel).sum(axis=1)
        isolation = isolations(density, distances)
        for cut in DENSITY_CUTS:
            dense = np.flatnonzero(density >= np.quantile(density, cut))
            ranked = dense[np.argsort(-isolation[dense], kind="stable")]
            for k in n_clusters:
                centres = ranked[:k]
                if len(centres) < k or (key := tuple(centres)) in tried:
                    continue
                tried.add(key)
                silhouette = mean_silhouette(distances, distances[:, centres].argmin(axis=1), k)
                if silhouette > best_silhouette:
                    best, best_silhouette = centres, silhouette
    return best


def normal_bandwidth(n_points: int, n_dimensions: int) -> float:
    """Return the bandwidth, in standard deviations, of least AMISE for normal data (Wand 1994)."""
    power = 1 / (n_dimensions + 4)
    return float((4 / (n_dimensions + 2)) ** power * n_points**-power)


def isolations(density: Floats, distances: Floats) -> Floats:
    """Return each point's distance to the nearest denser one, (points,).

    The densest is as isolated as the most isolated other. Of equally dense points the first counts
    as denser, so that copies of a point are not all centres.
    """
    order = np.argsort(-density, kind="stable")
    result = np.empty(len(density))
    for rank in range(1, len(order)):
        result[order[rank]] = distances[order[rank], order[:rank]].min()
    result[order[0]] = result[order[1:]].max(initial=0.0)
    return result


def mean_silhouette(distances: Floats, labels: NDArray[np.intp], n_clusters: int) -> float:
    """Return the mean silhouette (Rousseeuw 1987); 0 for a point alone, or with all others."""
    members = np.eye(n_clusters)[labels]
    sizes = members.sum(axis=0)
    totals = distances @ members
    points = np.arange(len(labels))
    own = totals[points, labels] / np.maximum(sizes[labels] - 1, 1)
    others = totals / np.maximum(sizes, 1)
    others[:, sizes == 0] = np.inf
    others[points, labels] = np.inf
    nearest = others.min(axis=1)
    nearest = np.where(np.isfinite(nearest), nearest, own)
    scale = np.maximum(np.maximum(own, nearest), np.finfo(float).tiny)
    return float(np.where(sizes[labels] > 1, (nearest - own) / scale, 0).mean())
