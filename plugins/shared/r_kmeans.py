"""k-means as R's `kmeans` runs it: the algorithm of Hartigan and Wong (1979), step by step.

Hartigan and Wong (1979), Algorithm AS 136: a k-means clustering algorithm, Applied Statistics
28:100-108. `shared/kmeans.py` searches for the same kind of optimum; from the same start it may end
in another one. Where a method's result hangs on which optimum R's starts found, this file finds it.

With s_c the sum of the n_c points of cluster c, the squared distance of point x from its centre is
|x|² − 2 x·s_c / n_c + |s_c|² / n_c². Many starts on few cells keep the inner products x·s_c of all
cells in place of s_c (`rows` are then those of the cells' Gram matrix, and `gram` is true): a
distance costs one look-up, and a move adds rows either way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from impbench_plugins.shared.compiled import njit, njit_unkept
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

GRAM_CELLS = 1500
GRAM_STARTS = 20
GRAM_SHARE = 0.1
"""Inner products of all cells are used up to that many cells, from that many starts and from that
many dimensions for each cell: below, distances are cheap and moves are not."""
TOGETHER = 4
"""Clusters from which a cell's distances are computed at once."""
MOST_QUICK_PASSES = 50
"""R ends a quick-transfer stage, and the start, after this many passes over the cells."""


@dataclass(frozen=True)
class Partition:
    """Clusters of cells.

    Attributes
    ----------
    labels
        (cells,) from 0.
    sum_of_squares
        Of the distances of the cells to their centres.
    """

    labels: Labels
    sum_of_squares: float


def hartigan_wong(points: Floats, starts: Labels, max_rounds: int) -> Partition | None:
    """Cluster the cells, starting from some of them as centres.

    Parameters
    ----------
    points
        (cells, dimensions) float64.
    starts
        (k,) cells that differ; fewer than there are cells.
    max_rounds
        As in `r_kmeans`; the result may then be no optimum, as in R, which warns.

    Returns
    -------
    None if no cell is nearest to one of the centres, which R refuses as an empty cluster.
    """
    labels, total = r_kmeans(points, starts[None], max_rounds)
    if np.isinf(total):
        return None
    clusters = (points[labels == cluster] for cluster in range(len(starts)))
    exact = sum(float(((inside - inside.mean(axis=0)) ** 2).sum()) for inside in clusters)
    return Partition(labels, exact)


def distinct_points(points: Floats) -> Labels:
    """Return the first of each set of equal points, ascending; equal to 15 digits, as in R."""
    magnitude = np.floor(np.log10(np.where(points == 0, 1.0, np.abs(points))))
    scale = 10.0 ** (14 - magnitude)
    rounded = np.rint(points * scale) / scale
    return np.sort(np.unique(rounded, axis=0, return_index=True)[1])


def r_kmeans(points: Floats, starts: Labels, max_rounds: int) -> tuple[Labels, float]:
    """Return the labels with the smallest within-cluster sum of squares, and that sum.

    Parameters
    ----------
    points
        (cells, dimensions).
    starts
        (starts, k) cells that are the first centres; k is smaller than the number of cells.
    max_rounds
        Bound on the optimal-transfer stages of one start, R's `iter.max`.

    Returns
    -------
    (cells,) labels from 0, and the sum of squares; infinite if every start left a cluster empty.
    """
    points = np.ascontiguousarray(points - points.mean(axis=0))
    squares = np.einsum("ij,ij->i", points, points)
    n_cells, n_dims = points.shape
    many = len(starts) >= GRAM_STARTS and n_dims >= GRAM_SHARE * n_cells
    if many and n_cells <= GRAM_CELLS:
        return _best(points @ points.T, True, squares, starts, max_rounds)
    return _best(points, False, squares, starts, max_rounds)


def compile_r_kmeans() -> None:
    """Compile, for `prepare`."""
    r_kmeans(np.eye(3), np.array([[0, 1]]), 1)


# Arrays are handed on one by one: in named tuples, a start takes 1.15 to 1.7 times as long.

# What is kept of each cluster, as columns of one array, (k, 6): n, n / (n − 1), n / (n + 1), 2 / n,
# |s|² / n² and |s|². Divisions would take most of the time if made for each distance.
SIZE, LEAVE, JOIN, TWICE_SHARE, OFFSET, WITHIN = range(6)


@njit(nogil=True)
def _best(
    rows: Floats, gram: bool, squares: Floats, starts: Labels, max_rounds: int
) -> tuple[Labels, float]:
    n_cells, k = rows.shape[0], starts.shape[1]
    best_labels, labels = np.zeros(n_cells, np.int64), np.zeros(n_cells, np.int64)
    # Clusters in fours, of which the last may have no cells.
    sums, about = np.zeros((-(-k // TOGETHER) * TOGETHER, rows.shape[1])), np.empty((k, 6))
    best = np.inf
    for start in range(starts.shape[0]):
        if k > 1:
            if not _descend(rows, gram, squares, starts[start], max_rounds, sums, about, labels):
                continue
        else:
            _add_up(rows, gram, labels, sums, about)
        total = squares.sum()
        for cluster in range(k):
            total -= about[cluster, WITHIN] / max(about[cluster, SIZE], 1.0)
        if total < best:
            best = total
            best_labels[:] = labels
    return best_labels, best


@njit_unkept(nogil=True)
def _descend(
    rows: Floats, gram: bool, squares: Floats, seeds: Labels, max_rounds: int, sums: Floats,
    about: Floats, ic1: Labels,
) -> bool:  # fmt: skip
    """Run one start; fills `ic1`. False if a cluster is empty at first. Letters are the paper's.

    IC1 and IC2 are a point's own cluster and its second nearest; R1 = n D² / (n − 1) for its own
    and R2 = n D² / (n + 1) for another. NCP tells when a cluster changed last.
    """
    n_cells, k = rows.shape[0], seeds.shape[0]
    ic2 = np.zeros(n_cells, np.int64)
    distances = np.empty(sums.shape[0])
    for cluster in range(k):
        sums[cluster] = rows[seeds[cluster]]
        about[cluster, SIZE] = 1.0
        about[cluster, WITHIN] = squares[seeds[cluster]]
        _renew(about, cluster)
    for cell in range(n_cells):
        near, next_near = np.inf, np.inf
        _all_distances(rows, gram, squares, cell, sums, about, distances)
        for cluster in range(k):
            distance = distances[cluster]
            if distance < near:
                near, next_near = distance, near
                ic1[cell], ic2[cell] = cluster, ic1[cell]
            elif distance < next_near:
                next_near = distance
                ic2[cell] = cluster
    _add_up(rows, gram, ic1, sums, about)
    for cluster in range(k):
        if about[cluster, SIZE] == 0.0:
            return False

    r1 = np.zeros(n_cells)
    ncp = np.full(k, -1, np.int64)
    moved = np.ones(k, np.bool_)
    live = np.zeros(k, np.int64)
    quiet = 0
    for _ in range(max_rounds):
        quiet = _optimal_transfer(
            rows, gram, squares, sums, about, ic1, ic2, r1, ncp, moved, live, quiet, distances
        )
        if quiet == n_cells:
            break
        ended = _quick_transfer(rows, gram, squares, sums, about, ic1, ic2, r1, ncp, moved)
        if moved.any():
            quiet = 0
        # Of two clusters, a quick transfer has looked at both.
        if k == 2 or not ended:
            break
        ncp[:] = 0
    return True


@njit_unkept(nogil=True)
def _optimal_transfer(
    rows: Floats, gram: bool, squares: Floats, sums: Floats, about: Floats, ic1: Labels,
    ic2: Labels, r1: Floats, ncp: Labels, moved: NDArray[np.bool_], live: Labels, quiet: int,
    distances: Floats,
) -> int:  # fmt: skip
    """Look at each point once; return for how many points in a row nothing has moved.

    A cluster is live for a point if it changed since the point was last looked at: in the last
    quick-transfer stage (`moved`) or in an optimal-transfer stage (`live`). A point whose own
    cluster is not live looks at live clusters only.
    """
    n_cells, k = rows.shape[0], about.shape[0]
    for cluster in range(k):
        if moved[cluster]:
            live[cluster] = n_cells
    for cell in range(n_cells):
        quiet += 1
        own = ic1[cell]
        if about[own, SIZE] > 1.0:
            _all_distances(rows, gram, squares, cell, sums, about, distances)
            if ncp[own] != 0:
                r1[cell] = distances[own] * about[own, LEAVE]
            before = ic2[cell]
            other = before
            lowest = distances[before] * about[before, JOIN]
            looks_at_all = cell < live[own]
            distances[own] = np.inf
            for cluster in range(k):
                gain = distances[cluster] * about[cluster, JOIN]
                if (looks_at_all or cell < live[cluster]) and gain < lowest:
                    lowest, other = gain, cluster
            if lowest >= r1[cell]:
                ic2[cell] = other
            else:
                quiet = 0
                live[own] = live[other] = n_cells + cell
                ncp[own] = ncp[other] = cell + 1
                _move(rows, gram, squares, cell, sums, about, own, other)
                ic1[cell], ic2[cell] = other, own
        if quiet == n_cells:
            return quiet
    moved[:] = False
    live -= n_cells
    return quiet


@njit_unkept(nogil=True)
def _quick_transfer(
    rows: Floats, gram: bool, squares: Floats, sums: Floats, about: Floats, ic1: Labels,
    ic2: Labels, r1: Floats, ncp: Labels, moved: NDArray[np.bool_],
) -> bool:  # fmt: skip
    """Swap points between their two nearest clusters until a whole pass moves none.

    Marks in `moved` the clusters that changed; returns whether the stage came to its end by itself.
    """
    n_cells = rows.shape[0]
    since_move, step = 0, 0
    while True:
        for cell in range(n_cells):
            since_move += 1
            step += 1
            if step >= MOST_QUICK_PASSES * n_cells:
                return False
            own, other = ic1[cell], ic2[cell]
            if about[own, SIZE] > 1.0 and (step <= ncp[own] or step < ncp[other]):
                own_inner, inner = _two_inner(rows, gram, cell, sums, own, other)
                distance = _from_inner(squares, cell, about, own, own_inner)
                if step <= ncp[own]:
                    r1[cell] = distance * about[own, LEAVE]
                distance = _from_inner(squares, cell, about, other, inner)
                looks = step < ncp[own] or step < ncp[other]
                if looks and distance * about[other, JOIN] < r1[cell]:
                    since_move = 0
                    moved[own] = moved[other] = True
                    ncp[own] = ncp[other] = step + n_cells
                    _move(rows, gram, squares, cell, sums, about, own, other)
                    ic1[cell], ic2[cell] = other, own
            if since_move == n_cells:
                return True


@njit_unkept(nogil=True)
def _add_up(rows: Floats, gram: bool, labels: Labels, sums: Floats, about: Floats) -> None:
    """Fill the sums of each cluster, and what is kept of it."""
    n_cells = rows.shape[0]
    sums[:] = 0.0
    about[:] = 0.0
    for cell in range(n_cells):
        cluster = labels[cell]
        about[cluster, SIZE] += 1.0
        for column in range(rows.shape[1]):
            sums[cluster, column] += rows[cell, column]
    if gram:
        for cell in range(n_cells):
            about[labels[cell], WITHIN] += sums[labels[cell], cell]
    for cluster in range(about.shape[0]):
        if not gram:
            for dim in range(rows.shape[1]):
                about[cluster, WITHIN] += sums[cluster, dim] ** 2
        _renew(about, cluster)


@njit_unkept(nogil=True)
def _move(
    rows: Floats, gram: bool, squares: Floats, cell: int, sums: Floats, about: Floats, old: int,
    new: int,
) -> None:  # fmt: skip
    about[old, WITHIN] -= 2.0 * _inner(rows, gram, cell, sums, old) - squares[cell]
    about[new, WITHIN] += 2.0 * _inner(rows, gram, cell, sums, new) + squares[cell]
    for column in range(rows.shape[1]):
        sums[old, column] -= rows[cell, column]
        sums[new, column] += rows[cell, column]
    about[old, SIZE] -= 1.0
    about[new, SIZE] += 1.0
    _renew(about, old)
    _renew(about, new)


@njit_unkept(nogil=True)
def _renew(about: Floats, cluster: int) -> None:
    n = max(about[cluster, SIZE], 1.0)
    about[cluster, LEAVE] = n / (n - 1.0) if n > 1.0 else np.inf
    about[cluster, JOIN] = n / (n + 1.0)
    about[cluster, TWICE_SHARE] = 2.0 / n
    about[cluster, OFFSET] = about[cluster, WITHIN] / (n * n)


@njit_unkept(nogil=True, fastmath=True, forceinline=True)
def _from_inner(squares: Floats, cell: int, about: Floats, cluster: int, inner: float) -> float:
    """Return the squared distance of a cell from a cluster's centre, from x·s."""
    return squares[cell] + about[cluster, OFFSET] - inner * about[cluster, TWICE_SHARE]


@njit_unkept(nogil=True, fastmath={"reassoc", "contract", "nsz"})
def _all_distances(
    rows: Floats, gram: bool, squares: Floats, cell: int, sums: Floats, about: Floats,
    distances: Floats,
) -> None:  # fmt: skip
    """Fill in the squared distances of a cell from all centres; four at a time hide each other."""
    k = about.shape[0]
    if gram:
        for cluster in range(k):
            distances[cluster] = sums[cluster, cell]
    else:
        x = rows[cell]
        for cluster in range(0, k, TOGETHER):
            a, b, c, d = 0.0, 0.0, 0.0, 0.0
            s, t = sums[cluster], sums[cluster + 1]
            u, v = sums[cluster + 2], sums[cluster + 3]
            for dim in range(x.size):
                a += x[dim] * s[dim]
                b += x[dim] * t[dim]
                c += x[dim] * u[dim]
                d += x[dim] * v[dim]
            distances[cluster], distances[cluster + 1] = a, b
            distances[cluster + 2], distances[cluster + 3] = c, d
    for cluster in range(k):
        distances[cluster] = _from_inner(squares, cell, about, cluster, distances[cluster])


@njit_unkept(nogil=True, fastmath=True, forceinline=True)
def _inner(rows: Floats, gram: bool, cell: int, sums: Floats, cluster: int) -> float:
    if gram:
        return sums[cluster, cell]
    total = 0.0
    for dim in range(rows.shape[1]):
        total += rows[cell, dim] * sums[cluster, dim]
    return total


@njit_unkept(nogil=True, fastmath=True, forceinline=True)
def _two_inner(
    rows: Floats, gram: bool, cell: int, sums: Floats, one: int, other: int
) -> tuple[float, float]:
    if gram:
        return sums[one, cell], sums[other, cell]
    x, s, t = rows[cell], sums[one], sums[other]
    a, b = 0.0, 0.0
    for dim in range(x.size):
        a += x[dim] * s[dim]
        b += x[dim] * t[dim]
    return a, b
