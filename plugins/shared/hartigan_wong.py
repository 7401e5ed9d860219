"""k-means as R's `kmeans` runs it: from given centres, by Hartigan and Wong (1979), few rounds.

The algorithm is AS 136 (Applied Statistics 28:100-108). A round first asks every cell in turn
whether any cluster would have it (optimal transfer), then lets cells change between their two
nearest until none does (quick transfer). Where it ends depends on the order of these steps, so
they are kept: from the same centres it ends where R ends. `impbench_plugins.shared.kmeans` looks
for the best of very many starts instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from impbench_plugins.shared.compiled import njit, njit_unkept
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

ROUNDS = 10
"""R's iter.max."""
QUICK_STEPS = 50
"""R ends a quick transfer stage after so many steps per cell."""


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


def hartigan_wong(points: Floats, starts: Labels, rounds: int = ROUNDS) -> Partition | None:
    """Cluster the cells, starting from some of them as centres.

    Parameters
    ----------
    points
        (cells, dimensions) float64.
    starts
        (k,) cells that differ; fewer than there are cells.
    rounds
        Most rounds; the result may then be no optimum, as in R, which warns.

    Returns
    -------
    None if no cell is nearest to one of the centres, which R refuses as an empty cluster.
    """
    k, n_cells = len(starts), len(points)
    if k == 1:
        centred = points - points.mean(axis=0)
        return Partition(np.zeros(n_cells, dtype=np.int64), float((centred**2).sum()))
    labels = np.zeros(n_cells, dtype=np.int64)
    if not _descend(points, points[starts], labels, rounds):
        return None
    total = 0.0
    for cluster in range(k):
        inside = points[labels == cluster]
        total += float(((inside - inside.mean(axis=0)) ** 2).sum())
    return Partition(labels, total)


def best_of(
    points: Floats, k: int, n_runs: int, draw: Callable[[], Labels], most_failures: int = 1000
) -> Partition | None:
    """Return the run of least sum of squares, the first of equals.

    Parameters
    ----------
    k
        Number of clusters.
    draw
        Gives the (k,) starting cells of each run.
    most_failures
        Runs that end in an empty cluster, and are repeated, before it is given up.

    Returns
    -------
    None if it was given up.
    """
    best: Partition | None = None
    failures = done = 0
    while done < n_runs:
        found = hartigan_wong(points, draw())
        if found is None:
            failures += 1
            if failures > most_failures:
                return None
            continue
        done += 1
        if best is None or found.sum_of_squares < best.sum_of_squares:
            best = found
    return best


def compile_hartigan_wong() -> None:
    """Compile, for `prepare`."""
    points = np.arange(8.0).reshape(4, 2)
    hartigan_wong(points, np.array([0, 3]))


@njit(nogil=True, error_model="numpy")
def _descend(points: Floats, centres: Floats, labels: Labels, rounds: int) -> bool:
    """Fill `labels`; false if a cluster is empty at the start. Changes `centres`."""
    n_cells, k = points.shape[0], centres.shape[0]
    second = np.zeros(n_cells, np.int64)
    sizes = np.zeros(k)
    cost = np.zeros(n_cells)
    """What a cell adds to the sum of squares where it is."""
    changed = np.empty(k, np.int64)
    """Step of a cluster's last change in this stage; −1 at first, 0 where there was none."""
    live = np.zeros(k, np.int64)
    """Cells before this one still have to ask the cluster, as it changed after they last did."""
    by_quick = np.ones(k, np.bool_)
    _assign(points, centres, labels, second)
    for cell in range(n_cells):
        sizes[labels[cell]] += 1.0
    for cluster in range(k):
        if sizes[cluster] == 0.0:
            return False
        changed[cluster] = -1
        for dim in range(centres.shape[1]):
            centres[cluster, dim] = 0.0
    for cell in range(n_cells):
        for dim in range(centres.shape[1]):
            centres[labels[cell], dim] += points[cell, dim]
    for cluster in range(k):
        for dim in range(centres.shape[1]):
            centres[cluster, dim] /= sizes[cluster]

    quiet = 0
    for _ in range(rounds):
        quiet = _optimal_transfer(
            points, centres, labels, second, sizes, cost, changed, live, by_quick, quiet
        )
        if quiet == n_cells:
            break
        moved = _quick_transfer(points, centres, labels, second, sizes, cost, changed, by_quick)
        if moved < 0 or k == 2:
            break
        if moved > 0:
            quiet = 0
        for cluster in range(k):
            changed[cluster] = 0
    return True


@njit_unkept(nogil=True, error_model="numpy")
def _assign(points: Floats, centres: Floats, nearest: Labels, second: Labels) -> None:
    """Fill in the nearest and the second nearest centre of each cell."""
    for cell in range(points.shape[0]):
        first, other = 0, 1
        low, high = _distance(points[cell], centres[0]), _distance(points[cell], centres[1])
        if low > high:
            first, other = 1, 0
            low, high = high, low
        for cluster in range(2, centres.shape[0]):
            distance = _distance(points[cell], centres[cluster])
            if distance < low:
                other, high = first, low
                first, low = cluster, distance
            elif distance < high:
                other, high = cluster, distance
        nearest[cell] = first
        second[cell] = other


@njit_unkept(nogil=True, error_model="numpy")
def _optimal_transfer(
    points: Floats,
    centres: Floats,
    nearest: Labels,
    second: Labels,
    sizes: Floats,
    cost: Floats,
    changed: Labels,
    live: Labels,
    by_quick: NDArray[np.bool_],
    quiet: int,
) -> int:
    """Ask each cell once; return for how many cells in a row nothing has changed.

    A cell whose own cluster has not changed need only look at those that have.
    """
    n_cells, k = points.shape[0], centres.shape[0]
    for cluster in range(k):
        if by_quick[cluster]:
            live[cluster] = n_cells
    for cell in range(n_cells):
        quiet += 1
        old = nearest[cell]
        if sizes[old] != 1.0:
            if changed[old] != 0:
                cost[cell] = _leaving(sizes[old]) * _distance(points[cell], centres[old])
            known = second[cell]
            new = known
            lowest = _joining(sizes[known]) * _distance(points[cell], centres[known])
            for cluster in range(k):
                asks = cell < live[old] or cell < live[cluster]
                if asks and cluster != old and cluster != known:
                    joining = _joining(sizes[cluster])
                    distance = _distance(points[cell], centres[cluster])
                    if distance < lowest / joining:
                        lowest = distance * joining
                        new = cluster
            if lowest >= cost[cell]:
                second[cell] = new
            else:
                quiet = 0
                live[old] = live[new] = n_cells + cell
                changed[old] = changed[new] = cell + 1
                _move(points[cell], centres, sizes, old, new)
                nearest[cell], second[cell] = new, old
        if quiet == n_cells:
            return quiet
    for cluster in range(k):
        by_quick[cluster] = False
        live[cluster] -= n_cells
    return quiet


@njit_unkept(nogil=True, error_model="numpy")
def _quick_transfer(
    points: Floats,
    centres: Floats,
    nearest: Labels,
    second: Labels,
    sizes: Floats,
    cost: Floats,
    changed: Labels,
    by_quick: NDArray[np.bool_],
) -> int:
    """Move cells to their second nearest cluster until none gains; return how many did.

    −1 if it took too many steps. `changed` holds, plus the number of cells, the step of a change.
    """
    n_cells = points.shape[0]
    quiet = step = moved = 0
    while True:
        for cell in range(n_cells):
            quiet += 1
            step += 1
            if step >= QUICK_STEPS * n_cells:
                return -1
            old, new = nearest[cell], second[cell]
            if sizes[old] != 1.0:
                if step <= changed[old]:
                    cost[cell] = _leaving(sizes[old]) * _distance(points[cell], centres[old])
                if step < changed[old] or step < changed[new]:
                    distance = _distance(points[cell], centres[new])
                    if distance < cost[cell] / _joining(sizes[new]):
                        quiet = 0
                        moved += 1
                        by_quick[old] = by_quick[new] = True
                        changed[old] = changed[new] = step + n_cells
                        _move(points[cell], centres, sizes, old, new)
                        nearest[cell], second[cell] = new, old
            if quiet == n_cells:
                return moved


@njit_unkept(nogil=True, error_model="numpy")
def _move(point: Floats, centres: Floats, sizes: Floats, old: int, new: int) -> None:
    n_old, n_new = sizes[old], sizes[new]
    for dim in range(point.shape[0]):
        centres[old, dim] = (centres[old, dim] * n_old - point[dim]) / (n_old - 1.0)
        centres[new, dim] = (centres[new, dim] * n_new + point[dim]) / (n_new + 1.0)
    sizes[old] = n_old - 1.0
    sizes[new] = n_new + 1.0


@njit_unkept(nogil=True, error_model="numpy")
def _leaving(size: float) -> float:
    return size / (size - 1.0) if size > 1.0 else np.inf


@njit_unkept(nogil=True, error_model="numpy")
def _joining(size: float) -> float:
    return size / (size + 1.0)


@njit_unkept(nogil=True, error_model="numpy", fastmath=True)
def _distance(point: Floats, centre: Floats) -> float:
    total = 0.0
    for dim in range(point.shape[0]):
        difference = point[dim] - centre[dim]
        total += difference * difference
    return total
