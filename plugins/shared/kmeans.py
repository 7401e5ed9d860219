"""k-means from many random starts, each improved until moving no single cell helps.

That end state is the one Hartigan and Wong (1979) search for, the default of R's `kmeans`. Moving
cell i from cluster a to b lowers the sum of squares when n_a d_ia² / (n_a − 1) exceeds
n_b d_ib² / (n_b + 1). Up to `GRAM_CELLS` cells the distances come from the cells' inner products,
kept up to date with every move (`_descend_gram`); beyond, from coordinates (`_descend`).
"""

from __future__ import annotations

import math

import numpy as np
from impbench_plugins.shared.compiled import njit, njit_unkept
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Singles = NDArray[np.float32]

GRAM_CELLS = 1500
TOGETHER = 50
"""Starts that descend side by side."""
BLOCK = 512
"""Cells whose distances are found at once."""
GAIN = 1 - 1e-10
"""A move must lower the sum of squares by more than rounding."""
TWICE_SHARE, OFFSET, LEAVE, JOIN = range(4)
"""What is kept of each cluster, (k, 4): 2 / n, Q / n², n / (n − 1) and n / (n + 1)."""


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
    return kmeans_from(points, distinct[_draw(len(distinct), k, n_starts, seed)], max_passes)


def kmeans_from(points: Floats, starts: Labels, max_passes: int = 1000) -> tuple[Labels, float]:
    """Return what `best_kmeans` does, from given starts.

    Parameters
    ----------
    points
        (cells, dimensions).
    starts
        (starts, k) indices of the points that are the first centres.
    max_passes
        Bound on the passes over all cells in one start.
    """
    points = np.ascontiguousarray(points, dtype=np.float64)
    if len(points) <= GRAM_CELLS:
        return _best_gram(points @ points.T, starts, max_passes)
    # Near 0 and at most 1, single precision loses least and neither overflows nor underflows.
    centred = points - points.mean(axis=0)
    scale = float(np.abs(centred).max()) or 1.0
    centred /= scale
    labels, total = _best(centred, centred.astype(np.float32), starts, max_passes)
    return labels, total * scale**2


def compile_kmeans() -> None:
    """Compile both forms, for `prepare`."""
    start = np.zeros((1, 1), dtype=np.int64)
    _best_gram(np.eye(2), start, 1)
    _best(np.eye(2), np.eye(2, dtype=np.float32), start, 1)


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


@njit_unkept(nogil=True, fastmath=True)
def _descend_gram(gram: Floats, seeds: Labels, max_passes: int, labels: Labels) -> float:
    """Run one start; fills `labels` and returns the sum of squares.

    With S_ki the sum of the inner products of i with cluster k and Q_k the sum of S_ki within k,
    the squared distance of i from the centre of k is G_ii − 2 S_ki / n_k + Q_k / n_k². Divisions
    would take most of the time if made for each cell.
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

    about = np.empty((k, 4))
    for cluster in range(k):
        _divide(about[cluster], sizes[cluster], within[cluster])

    quiet = 0
    cell = 0
    steps = 0
    while quiet < n_cells and steps < max_passes * n_cells:
        old = labels[cell]
        own = gram[cell, cell]
        new = old
        if sizes[old] > 1.0:
            lowest = own - sums[old, cell] * about[old, TWICE_SHARE] + about[old, OFFSET]
            lowest *= about[old, LEAVE] * GAIN
            for cluster in range(k):
                if cluster != old:
                    join = own - sums[cluster, cell] * about[cluster, TWICE_SHARE]
                    join = (join + about[cluster, OFFSET]) * about[cluster, JOIN]
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
            _divide(about[old], sizes[old], within[old])
            _divide(about[new], sizes[new], within[new])
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


@njit_unkept(nogil=True, fastmath=True)
def _divide(about: Floats, size: float, within: float) -> None:
    n = max(size, 1.0)
    about[TWICE_SHARE] = 2.0 / n
    about[OFFSET] = within / (n * n)
    about[LEAVE] = n / (n - 1.0) if n > 1.0 else 1.0
    about[JOIN] = size / (size + 1.0)


@njit(nogil=True)
def _best(points: Floats, single: Singles, starts: Labels, max_passes: int) -> tuple[Labels, float]:
    best_labels = np.zeros(points.shape[0], np.int64)
    best = np.inf
    for first in range(0, starts.shape[0], TOGETHER):
        seeds = starts[first : first + TOGETHER]
        labels = _descend(points, single, seeds, max_passes)
        for start in range(seeds.shape[0]):
            total = _sum_of_squares(points, labels[:, start], seeds.shape[1])
            if total < best - 1e-12 * abs(best) or first + start == 0:
                best = total
                best_labels[:] = labels[:, start]
    return best_labels, best


@njit_unkept(nogil=True)
def _descend(points: Floats, single: Singles, seeds: Labels, max_passes: int) -> Labels:
    """Run several starts side by side; (cells, starts) labels.

    One product in single precision tells for a block of cells and the centres of all starts which
    cells may be better off elsewhere, with rounding allowed for. Those are measured in double
    precision, from the centres as they are by then.
    """
    n_cells = points.shape[0]
    n_starts, k = seeds.shape
    labels = np.empty((n_cells, n_starts), np.int64)
    centres = np.empty((n_starts, k, points.shape[1]))
    for start in range(n_starts):
        centres[start] = points[seeds[start]]
    running = np.arange(n_starts)
    for first in range(0, n_cells, BLOCK):
        products = np.dot(single[first : first + BLOCK], _columns(centres, running))
        squares = _squares(centres, running)
        for row in range(products.shape[0]):
            for start in range(n_starts):
                own = products[row, start * k : (start + 1) * k]
                labels[first + row, start] = np.argmin(squares[start] - 2.0 * own)
    sizes = np.zeros((n_starts, k))
    for start in range(n_starts):
        _centre(points, labels[:, start], centres[start], sizes[start])

    for _ in range(max_passes):
        moved = np.zeros(n_starts, np.bool_)
        for first in range(0, n_cells, BLOCK):
            products = np.dot(single[first : first + BLOCK], _columns(centres, running))
            block = points[first : first + BLOCK]
            found = labels[first : first + BLOCK]
            _move_block(block, products, centres, sizes, running, found, moved)
        running = running[moved[running]]
        if running.size == 0:
            break
    return labels


@njit_unkept(nogil=True)
def _centre(points: Floats, labels: Labels, centres: Floats, sizes: Floats) -> None:
    """Fill `centres`, (k, dimensions), and `sizes`, (k,); an empty cluster has its centre at 0."""
    centres[:] = 0.0
    sizes[:] = 0.0
    for cell in range(points.shape[0]):
        sizes[labels[cell]] += 1.0
        for dim in range(points.shape[1]):
            centres[labels[cell], dim] += points[cell, dim]
    for cluster in range(sizes.shape[0]):
        centres[cluster] /= max(sizes[cluster], 1.0)


@njit_unkept(nogil=True)
def _sum_of_squares(points: Floats, labels: Labels, k: int) -> float:
    centres, sizes = np.empty((k, points.shape[1])), np.empty(k)
    _centre(points, labels, centres, sizes)
    total = 0.0
    for cell in range(points.shape[0]):
        total += _squared_distance(points[cell], centres[labels[cell]])
    return total


@njit_unkept(nogil=True)
def _columns(centres: Floats, running: Labels) -> Singles:
    """Return the centres of the starts that still run, (dimensions, starts · k)."""
    k, n_dims = centres.shape[1:]
    columns = np.empty((n_dims, running.size * k), np.float32)
    for place in range(running.size):
        for cluster in range(k):
            for dim in range(n_dims):
                columns[dim, place * k + cluster] = centres[running[place], cluster, dim]
    return columns


@njit_unkept(nogil=True)
def _squares(centres: Floats, running: Labels) -> Floats:
    """Return the squared lengths of those centres, (starts, k)."""
    squares = np.empty((running.size, centres.shape[1]))
    for place in range(running.size):
        for cluster in range(centres.shape[1]):
            squares[place, cluster] = _dot(centres[running[place], cluster])
    return squares


@njit_unkept(nogil=True)
def _move_block(
    points: Floats,
    products: Singles,
    centres: Floats,
    sizes: Floats,
    running: Labels,
    labels: Labels,
    moved: NDArray[np.bool_],
) -> None:
    """Move the cells of a block in all running starts; notes in `moved` which starts did.

    A product of n terms in single precision is off by at most (n + 2) 2⁻²⁴ |x| |c|, the
    conversions to it included.
    """
    k = sizes.shape[1]
    squares = _squares(centres, running)
    rounding = 8.0 * (points.shape[1] + 4) * 2.0**-24
    slacks = np.empty(running.size)
    leaving, joining = np.empty((running.size, k)), np.empty((running.size, k))
    for place in range(running.size):
        slacks[place] = rounding * math.sqrt(squares[place].max())
        for cluster in range(k):
            n = sizes[running[place], cluster]
            leaving[place, cluster] = n / (n - 1.0) if n > 1.0 else 0.0
            joining[place, cluster] = n / (n + 1.0)
    for row in range(points.shape[0]):
        own = _dot(points[row])
        length = math.sqrt(own)
        for place in range(running.size):
            start = running[place]
            old = labels[row, start]
            first = place * k
            bound = own + squares[place, old] - 2.0 * products[row, first + old]
            bound = bound * leaving[place, old] + slacks[place] * length
            looks = False
            for cluster in range(k):
                join = own + squares[place, cluster] - 2.0 * products[row, first + cluster]
                looks |= cluster != old and join * joining[place, cluster] < bound
            if looks:
                new = _move(points[row], centres[start], sizes[start], old)
                moved[start] |= new != old
                labels[row, start] = new


@njit_unkept(nogil=True)
def _move(point: Floats, centres: Floats, sizes: Floats, old: int) -> int:
    """Move one cell to the cluster that lowers the sum of squares most; return that cluster."""
    if sizes[old] <= 1.0:
        return old
    new = old
    lowest = _squared_distance(point, centres[old]) * sizes[old] / (sizes[old] - 1.0) * GAIN
    for cluster in range(sizes.shape[0]):
        if cluster != old:
            join = _squared_distance(point, centres[cluster])
            join *= sizes[cluster] / (sizes[cluster] + 1.0)
            if join < lowest:
                lowest = join
                new = cluster
    if new != old:
        for dim in range(point.shape[0]):
            centres[old, dim] -= (point[dim] - centres[old, dim]) / (sizes[old] - 1.0)
            centres[new, dim] += (point[dim] - centres[new, dim]) / (sizes[new] + 1.0)
        sizes[old] -= 1.0
        sizes[new] += 1.0
    return new


@njit_unkept(nogil=True, fastmath=True)
def _squared_distance(point: Floats, centre: Floats) -> float:
    total = 0.0
    for dim in range(point.shape[0]):
        difference = point[dim] - centre[dim]
        total += difference * difference
    return total


@njit_unkept(nogil=True, fastmath=True)
def _dot(point: Floats) -> float:
    total = 0.0
    for dim in range(point.shape[0]):
        total += point[dim] * point[dim]
    return total
