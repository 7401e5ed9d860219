"""k-means from many random starts, each improved until moving no single cell helps.

That end state is the one Hartigan and Wong (1979) search for, the default of R's `kmeans`. Moving
cell i from cluster a to b lowers the sum of squares when n_a d_ia² / (n_a − 1) exceeds
n_b d_ib² / (n_b + 1). Up to `GRAM_CELLS` cells the distances come from the cells' inner products,
kept up to date with every move (`_descend_gram`); beyond, from coordinates (`_descend`).
"""

from __future__ import annotations

import numpy as np
from impbench_plugins.compiled import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

GRAM_CELLS = 2000
GAIN = 1 - 1e-10
"""A move must lower the sum of squares by more than rounding."""


def best_kmeans(
    points: Floats, k: int, n_starts: int, seed: int, max_passes: int = 1000
) -> tuple[Labels, float]:
    """Return the labels with the smallest within-cluster sum of squares, and that sum.

    Parameters
    ----------
    points
        (cells, dimensions).
    k
        Number of clusters; no more than there are distinct points are used.
    n_starts
        Each starts from `k` distinct points drawn at random.
    max_passes
        Bound on the passes over all cells in one start.

    Returns
    -------
    (cells,) labels from 0, and the sum of squares.
    """
    points = np.ascontiguousarray(points, dtype=np.float64)
    distinct = np.unique(points, axis=0, return_index=True)[1]
    k = min(k, len(distinct))
    starts = distinct[_draw(len(distinct), k, n_starts, seed)]
    if len(points) <= GRAM_CELLS:
        return _best_gram(points @ points.T, starts, max_passes)
    return _best(points, starts, max_passes)


def compile_kmeans() -> None:
    """Compile both forms, for `prepare`."""
    for best in (_best_gram, _best):
        best(np.eye(2), np.zeros((1, 1), dtype=np.int64), 1)


def _draw(n: int, k: int, n_starts: int, seed: int) -> Labels:
    """Draw `k` different numbers below `n` for each start, (starts, k)."""
    rng = np.random.default_rng(seed)
    if 2 * k * k > n:
        # Repeats would be common.
        return np.argsort(rng.random((n_starts, n)), axis=1, kind="stable")[:, :k]
    drawn = rng.integers(n, size=(n_starts, k))
    while True:
        repeats = (np.diff(np.sort(drawn, axis=1), axis=1) == 0).any(axis=1)
        if not repeats.any():
            return drawn
        drawn[repeats] = rng.integers(n, size=(int(repeats.sum()), k))


@njit(nogil=True)
def _best_gram(gram: Floats, starts: Labels, max_passes: int) -> tuple[Labels, float]:
    n_cells = gram.shape[0]
    labels = np.empty(n_cells, np.int64)
    best_labels = np.zeros(n_cells, np.int64)
    best = np.inf
    for start in range(starts.shape[0]):
        total = _descend_gram(gram, starts[start], max_passes, labels)
        # The same optimum reached again differs in rounding only: keep the first.
        if total < best - 1e-12 * abs(best) or start == 0:
            best = total
            best_labels[:] = labels
    return best_labels, best


@njit(nogil=True, fastmath=True)
def _descend_gram(gram: Floats, seeds: Labels, max_passes: int, labels: Labels) -> float:
    """Run one start; fills `labels` and returns the sum of squares.

    With S_ki the sum of the inner products of i with cluster k and Q_k the sum of S_ki within k,
    the squared distance of i from the centre of k is G_ii − 2 S_ki / n_k + Q_k / n_k².
    """
    n_cells = gram.shape[0]
    k = seeds.shape[0]
    sums = np.zeros((k, n_cells))
    within = np.zeros(k)
    sizes = np.zeros(k)
    for cell in range(n_cells):
        nearest = 0
        lowest = np.inf
        for cluster in range(k):
            point = seeds[cluster]
            distance = gram[point, point] - 2.0 * gram[point, cell]
            if distance < lowest:
                lowest = distance
                nearest = cluster
        labels[cell] = nearest
        sizes[nearest] += 1.0
        for other in range(n_cells):
            sums[nearest, other] += gram[cell, other]
    for cell in range(n_cells):
        within[labels[cell]] += sums[labels[cell], cell]

    quiet = 0
    cell = 0
    steps = 0
    while quiet < n_cells and steps < max_passes * n_cells:
        old = labels[cell]
        own = gram[cell, cell]
        new = old
        if sizes[old] > 1.0:
            n = sizes[old]
            lowest = (own - 2.0 * sums[old, cell] / n + within[old] / (n * n)) * n / (n - 1.0)
            lowest *= GAIN
            for cluster in range(k):
                if cluster != old:
                    n = max(sizes[cluster], 1.0)
                    join = own - 2.0 * sums[cluster, cell] / n + within[cluster] / (n * n)
                    join *= sizes[cluster] / (sizes[cluster] + 1.0)
                    if join < lowest:
                        lowest = join
                        new = cluster
        if new != old:
            within[old] -= 2.0 * sums[old, cell] - own
            within[new] += 2.0 * sums[new, cell] + own
            for other in range(n_cells):
                sums[old, other] -= gram[cell, other]
                sums[new, other] += gram[cell, other]
            sizes[old] -= 1.0
            sizes[new] += 1.0
            labels[cell] = new
            quiet = 0
        else:
            quiet += 1
        cell = cell + 1 if cell + 1 < n_cells else 0
        steps += 1

    total = 0.0
    for cell in range(n_cells):
        total += gram[cell, cell]
    for cluster in range(k):
        total -= within[cluster] / max(sizes[cluster], 1.0)
    return total


@njit(nogil=True)
def _best(points: Floats, starts: Labels, max_passes: int) -> tuple[Labels, float]:
    n_cells = points.shape[0]
    columns = np.ascontiguousarray(points.T)
    distances = np.empty((starts.shape[1], n_cells))
    labels = np.empty(n_cells, np.int64)
    best_labels = np.zeros(n_cells, np.int64)
    best = np.inf
    for start in range(starts.shape[0]):
        total = _descend(points, columns, starts[start], max_passes, distances, labels)
        if total < best - 1e-12 * abs(best) or start == 0:
            best = total
            best_labels[:] = labels
    return best_labels, best


@njit(nogil=True)
def _descend(
    points: Floats,
    columns: Floats,
    seeds: Labels,
    max_passes: int,
    distances: Floats,
    labels: Labels,
) -> float:
    n_cells = points.shape[0]
    k = seeds.shape[0]
    _squared_distances(columns, points[seeds], distances)
    for cell in range(n_cells):
        labels[cell] = np.argmin(distances[:, cell])
    for _ in range(max_passes):
        # Centres afresh in every pass, so that rounding does not add up.
        centres, sizes = _centres(points, labels, k)
        _squared_distances(columns, centres, distances)
        if not _move(points, centres, sizes, distances, labels):
            break
    total = 0.0
    centres, sizes = _centres(points, labels, k)
    for cell in range(n_cells):
        total += _distance(points, cell, centres, labels[cell])
    return total


@njit(nogil=True)
def _centres(points: Floats, labels: Labels, k: int) -> tuple[Floats, Floats]:
    centres = np.zeros((k, points.shape[1]))
    sizes = np.zeros(k)
    for cell in range(points.shape[0]):
        sizes[labels[cell]] += 1.0
        for dim in range(points.shape[1]):
            centres[labels[cell], dim] += points[cell, dim]
    for cluster in range(k):
        centres[cluster] /= max(sizes[cluster], 1.0)
    return centres, sizes


@njit(nogil=True, fastmath=True)
def _squared_distances(columns: Floats, centres: Floats, distances: Floats) -> None:
    n_dims, n_cells = columns.shape
    for first in range(0, n_cells, 512):
        last = min(first + 512, n_cells)
        for cluster in range(centres.shape[0]):
            out = distances[cluster, first:last]
            out[:] = 0.0
            for dim in range(n_dims):
                centre = centres[cluster, dim]
                values = columns[dim, first:last]
                for cell in range(last - first):
                    difference = values[cell] - centre
                    out[cell] += difference * difference


@njit(nogil=True)
def _move(
    points: Floats, centres: Floats, sizes: Floats, distances: Floats, labels: Labels
) -> bool:
    """Move cells to the cluster that lowers the sum of squares most; return whether any moved.

    `distances` are those from before this pass: they say which cells to look at, and those are
    measured again.
    """
    moved = False
    for cell in range(points.shape[0]):
        old = labels[cell]
        if sizes[old] <= 1.0:
            continue
        leave = distances[old, cell] * sizes[old] / (sizes[old] - 1.0)
        looks = False
        for cluster in range(centres.shape[0]):
            join = distances[cluster, cell] * sizes[cluster] / (sizes[cluster] + 1.0)
            looks |= cluster != old and join < leave
        if not looks:
            continue
        new = old
        lowest = _distance(points, cell, centres, old) * sizes[old] / (sizes[old] - 1.0) * GAIN
        for cluster in range(centres.shape[0]):
            join = _distance(points, cell, centres, cluster)
            join *= sizes[cluster] / (sizes[cluster] + 1.0)
            if cluster != old and join < lowest:
                lowest = join
                new = cluster
        if new == old:
            continue
        for dim in range(points.shape[1]):
            value = points[cell, dim]
            centres[old, dim] -= (value - centres[old, dim]) / (sizes[old] - 1.0)
            centres[new, dim] += (value - centres[new, dim]) / (sizes[new] + 1.0)
        sizes[old] -= 1.0
        sizes[new] += 1.0
        labels[cell] = new
        moved = True
    return moved


@njit(nogil=True, fastmath=True)
def _distance(points: Floats, cell: int, centres: Floats, cluster: int) -> float:
    total = 0.0
    for dim in range(points.shape[1]):
        difference = points[cell, dim] - centres[cluster, dim]
        total += difference * difference
    return total
