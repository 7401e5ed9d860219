"""The nearest points of each point by Euclidean distance, exactly, through products in float32.

Distances in single precision only choose candidates, a few more than are asked for. Those are
measured again by their differences in double precision, and where rounding could have lost a
neighbour, which is seen from the gap to the farthest candidate, that row is measured to all points.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from impbench_plugins.shared.compiled import njit
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Single = NDArray[np.float32]
Indices = NDArray[np.int64]

EXTRA = 8
"""Candidates beyond the neighbours asked for."""
ROWS, COLUMNS = 512, 2048
"""Points by points whose products are formed at once: 4 MiB."""
REMEASURED = 2**19
"""Coordinates of candidates held at once, 4 MiB."""
TOGETHER = 64
"""Products looked at together."""
LEAST = 1024
"""Up to so many points all pairs are measured."""


def nearest(points: NDArray[Any], queries: NDArray[Any], k: int) -> tuple[Float64, Indices]:
    """Find the `k` points nearest to each query.

    Parameters
    ----------
    points, queries
        (points, dimensions) and (queries, dimensions), finite, any real dtype. A query that is a
        point finds itself, at distance 0.
    k
        At most the number of points.

    Returns
    -------
    (queries, k) distances, the smallest first, and the points' indices, int64. Points at the same
    distance come in the order of their indices, unless there are more of them than fit.
    """
    ours, asked = np.asarray(points, dtype=np.float64), np.asarray(queries, dtype=np.float64)
    n_candidates = k + EXTRA
    if len(ours) <= max(LEAST, n_candidates):
        return _by_all_pairs(ours, asked, k)
    centre = ours.mean(axis=0)
    ours, asked = ours - centre, asked - centre
    found, farthest = _candidates(ours, asked, n_candidates)
    distances, indices = _measured(ours, asked, found, k)
    unsure = np.flatnonzero(~_certain(ours, asked, distances[:, -1], farthest))
    if len(unsure):
        distances[unsure], indices[unsure] = _by_all_pairs(ours, asked[unsure], k)
    return distances, indices


def compile_nearest() -> None:
    """Compile, for `prepare`."""
    _keep_smallest(
        np.zeros((1, 2), np.float32), 0, np.full((1, 1), np.inf, np.float32), np.zeros((1, 1), int)
    )


def _candidates(points: Float64, queries: Float64, n: int) -> tuple[Indices, Single]:
    """Return each query's `n` nearest in single precision, and ‖x‖² − 2 x·q of the farthest."""
    norms = np.einsum("ij,ij->i", points, points)[:, None]
    left = np.hstack([-2 * queries, np.ones((len(queries), 1))]).astype(np.float32)
    right = np.hstack([points, norms]).astype(np.float32)
    values = np.full((len(queries), n), np.inf, dtype=np.float32)
    indices = np.zeros((len(queries), n), dtype=np.int64)
    for start in range(0, len(queries), ROWS):
        rows = slice(start, start + ROWS)
        for first in range(0, len(points), COLUMNS):
            products = left[rows] @ right[first : first + COLUMNS].T
            _keep_smallest(products, first, values[rows], indices[rows])
    return indices, values[:, 0]


def _measured(
    points: Float64, queries: Float64, candidates: Indices, k: int
) -> tuple[Float64, Indices]:
    """Return the `k` nearest of the candidates by their differences."""
    candidates = np.sort(candidates, axis=1)
    distances = np.empty(candidates.shape)
    step = max(1, REMEASURED // max(1, candidates.shape[1] * points.shape[1]))
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        differences = points[candidates[rows]] - queries[rows, None]
        distances[rows] = np.einsum("ijk,ijk->ij", differences, differences)
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return (
        np.sqrt(np.take_along_axis(distances, order, axis=1)),
        np.take_along_axis(candidates, order, axis=1),
    )


def _certain(
    points: Float64, queries: Float64, last: Float64, farthest: Single
) -> NDArray[np.bool_]:
    """Return whether no point outside the candidates can be nearer than the `last` neighbour.

    A sum of d products in single precision is off by less than d + 2 roundings of the product of
    the norms, and so is a candidate's value.
    """
    norms = np.einsum("ij,ij->i", queries, queries)
    longest = np.einsum("ij,ij->i", points, points).max()
    rounding = (points.shape[1] + 4) * np.finfo(np.float32).eps
    slack = rounding * (2 * np.sqrt(norms * longest) + longest)
    certain: NDArray[np.bool_] = last**2 - norms + slack < farthest - slack
    return certain


def _by_all_pairs(points: Float64, queries: Float64, k: int) -> tuple[Float64, Indices]:
    from scipy.spatial.distance import cdist

    distances, indices = np.empty((len(queries), k)), np.empty((len(queries), k), dtype=np.int64)
    step = max(1, REMEASURED // len(points))
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        all_distances = cdist(queries[rows], points)
        order = np.argsort(all_distances, axis=1, kind="stable")[:, :k]
        indices[rows] = order
        distances[rows] = np.take_along_axis(all_distances, order, axis=1)
    return distances, indices


@njit(nogil=True, fastmath=True)
def _keep_smallest(products: Single, first: int, values: Single, indices: Indices) -> None:
    """Put what is smaller than the largest of `values` in its place, row by row.

    Parameters
    ----------
    products
        (rows, columns); column 0 is the point `first`.
    values, indices
        (rows, candidates), changed in place; each row is a heap, its largest value first.
    """
    n_columns, n_kept = products.shape[1], values.shape[1]
    for row in range(products.shape[0]):
        # A heap: none of the two below a value, at 2 i + 1 and 2 i + 2, is larger.
        largest = values[row, 0]
        for start in range(0, n_columns, TOGETHER):
            end = min(start + TOGETHER, n_columns)
            if end - start == TOGETHER:
                # Most of them hold nothing new, which a loop of known length sees fastest.
                n_smaller = np.int32(0)
                for i in range(TOGETHER):
                    smaller = products[row, start + i] < largest
                    n_smaller += np.int32(1) if smaller else np.int32(0)
                if n_smaller == 0:
                    continue
            for column in range(start, end):
                value = products[row, column]
                if value >= largest:
                    continue
                place, below = 0, 1
                while below < n_kept:
                    if below + 1 < n_kept and values[row, below + 1] > values[row, below]:
                        below += 1
                    if values[row, below] <= value:
                        break
                    values[row, place] = values[row, below]
                    indices[row, place] = indices[row, below]
                    place, below = below, 2 * below + 1
                values[row, place] = value
                indices[row, place] = first + column
                largest = values[row, 0]
