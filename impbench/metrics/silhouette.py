"""Silhouette widths of several groupings of the same cells, from one pass over the pairs.

The same input gives the same widths to the last bit, whatever number of threads is allowed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SINGLE_PRECISION_FROM = 4096
"""Cells from which on rounding in single precision averages out."""
CELLS_PER_TILE = 1024
"""Distances of 1024 × 1024 cells are 4 MiB, which stay near the processor."""
NEAR = {np.float32: 1e-2, np.float64: 1e-8}
"""Below this share of a cell's squared norm, a squared distance has lost too many digits."""
NEAR_PAIRS_AT_ONCE = 2**15

Float64 = NDArray[np.float64]


def silhouettes(
    points: NDArray[Any],
    groupings: Sequence[NDArray[Any]],
    of_cells: NDArray[np.intp] | None = None,
) -> list[float]:
    """Return the average silhouette width of each grouping (Rousseeuw 1987).

    Exact for any number of cells: all distances are taken, once for all groupings and one tile at a
    time, so memory grows with the number of cells alone. From 4 096 cells on, distances are
    computed in single precision, but those of cells that lie close to each other; the averages
    differ from those in double precision by less than 1e-6.

    Parameters
    ----------
    points
        (cells, dimensions), any real dtype, finite.
    groupings
        (cells,) each: the group of every cell, of any dtype that sorts.
    of_cells
        Places of the cells whose widths are averaged; None: all. The width of each is exact, taken
        from its distances to all cells, so that the average over n cells drawn at random is that
        of all within the spread of the widths over √n.

    Returns
    -------
    One width in [−1, 1] per grouping, or NaN where it has no meaning: with one group, or with one
    cell in each.

    Raises
    ------
    ValueError
        If a coordinate is NaN or infinite.
    """
    from threadpoolctl import threadpool_limits

    coordinates = np.asarray(points, dtype=np.float64)
    if not np.isfinite(coordinates).all():
        raise ValueError("silhouettes need finite points; there is NaN or infinity among them")
    codes = [np.unique(groups, return_inverse=True)[1] for groups in groupings]
    widths = [math.nan] * len(codes)
    meant = {i: one for i, one in enumerate(codes) if 1 <= one.max(initial=0) < len(one) - 1}
    if not meant:
        return widths
    members = [np.eye(one.max() + 1)[one] for one in meant.values()]
    # Cells of a group lie together, so that a tile's cells lie close to its centre.
    order = np.lexsort(list(meant.values()))
    ordered, member = coordinates[order], np.hstack(members)[order]
    with threadpool_limits(1):
        if of_cells is None:
            asked, sums = order, _sums_of_distances(_centred(ordered), member)
        else:
            places = np.flatnonzero(np.isin(order, of_cells))
            asked, sums = order[places], _sums_from(places, _centred(ordered), member)
    parts = np.split(sums, np.cumsum([member.shape[1] for member in members])[:-1], axis=1)
    # Back in the order of the cells: a sum depends on the order of its terms.
    back = np.argsort(asked)
    for (i, one), part in zip(meant.items(), parts, strict=True):
        widths[i] = _mean_width(part[back], one[asked[back]], np.bincount(one))
    return widths


def _mean_width(sums: Float64, codes: NDArray[np.intp], counts: NDArray[np.intp]) -> float:
    """Return (b − a) / max(a, b), averaged over the cells; a cell alone in its group counts 0.

    `sums` are distances from each cell to all cells of each group, (cells, groups).
    """
    cells = np.arange(len(codes))
    alone = counts[codes] == 1
    within = sums[cells, codes] / np.maximum(counts[codes] - 1, 1)
    between = sums / counts
    between[cells, codes] = np.inf
    nearest = between.min(axis=1)
    largest = np.maximum(within, nearest)
    told_apart = ~alone & (largest > 0)
    widths = np.zeros(len(codes))
    np.divide(nearest - within, largest, out=widths, where=told_apart)
    return float(widths.mean())


def _centred(coordinates: Float64) -> Float64:
    """Move the middle of the cells to 0, and the farthest coordinate to 1: widths stay."""
    coordinates = coordinates - coordinates.mean(axis=0)
    coordinates /= max(np.abs(coordinates).max(initial=0), np.finfo(np.float64).tiny)
    return coordinates


def _precision(coordinates: Float64) -> type[np.floating[Any]]:
    return np.float32 if len(coordinates) >= SINGLE_PRECISION_FROM else np.float64


def _sums_from(chosen: NDArray[np.intp], coordinates: Float64, member: Float64) -> Float64:
    """Return what `_sums_of_distances` does, of some cells alone, (chosen, groups)."""
    dtype = _precision(coordinates)
    groups, sums = member.astype(dtype), np.zeros((len(chosen), member.shape[1]))
    for start in range(0, len(chosen), CELLS_PER_TILE):
        tile = slice(start, start + CELLS_PER_TILE)
        rows = coordinates[chosen[tile]]
        middle = rows.mean(axis=0)
        seen = rows - middle
        norms = np.einsum("ij,ij->i", seen, seen)[:, None]
        left = np.hstack([-2 * seen, norms, np.ones_like(norms)]).astype(dtype)
        nearest = (NEAR[dtype] * norms).astype(dtype)
        for first in range(0, len(coordinates), CELLS_PER_TILE):
            columns = slice(first, first + CELLS_PER_TILE)
            others = coordinates[columns] - middle
            norms = np.einsum("ij,ij->i", others, others)[:, None]
            right = np.hstack([others, np.ones_like(norms), norms]).astype(dtype)
            distances = _roots(left @ right.T, nearest, rows, coordinates[columns])
            sums[tile] += distances @ groups[columns]
    return sums


def _sums_of_distances(coordinates: Float64, member: Float64) -> Float64:
    """Return the sum of distances from each cell to the cells of each group, (cells, groups).

    ‖x − y‖² = ‖x‖² + ‖y‖² − 2 x·y, the whole of it one product of matrices. Each tile above the
    diagonal serves its rows and its columns.

    Parameters
    ----------
    coordinates
        (cells, dimensions), of `_centred`.
    member
        (cells, groups), 1 where a cell is of a group, else 0.
    """
    dtype = _precision(coordinates)
    groups, sums = member.astype(dtype), np.zeros(member.shape)
    for start in range(0, len(coordinates), CELLS_PER_TILE):
        rows = slice(start, start + CELLS_PER_TILE)
        # Seen from the middle of these cells, norms are small and few digits cancel.
        seen = coordinates[start:] - coordinates[rows].mean(axis=0)
        norms = np.einsum("ij,ij->i", seen, seen)[:, None]
        ones = np.ones_like(norms)
        left = np.hstack([-2 * seen, norms, ones])[:CELLS_PER_TILE].astype(dtype)
        right = np.hstack([seen, ones, norms]).astype(dtype)
        nearest = (NEAR[dtype] * norms[:CELLS_PER_TILE]).astype(dtype)
        for offset in range(0, len(seen), CELLS_PER_TILE):
            columns = slice(start + offset, start + offset + CELLS_PER_TILE)
            products = left @ right[offset : offset + CELLS_PER_TILE].T
            distances = _roots(products, nearest, coordinates[rows], coordinates[columns])
            sums[rows] += distances @ groups[columns]
            if offset:
                sums[columns] += distances.T @ groups[rows]
    return sums


def _roots(
    squares: NDArray[Any], nearest: NDArray[Any], rows: Float64, columns: Float64
) -> NDArray[Any]:
    """Return the roots of squared distances, those below `nearest` by their differences."""
    near = squares < nearest  # Rounding below 0 is among them.
    if near.any():
        pairs = np.nonzero(near)
        squares[pairs] = _squared(rows, columns, *pairs)
    np.sqrt(squares, out=squares)
    return squares


def _squared(
    one: Float64, other: Float64, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> Float64:
    """Return squared distances of pairs of cells by their differences, (pairs,)."""
    squared = np.empty(len(rows))
    for start in range(0, len(rows), NEAR_PAIRS_AT_ONCE):
        some = slice(start, start + NEAR_PAIRS_AT_ONCE)
        differences = one[rows[some]] - other[columns[some]]
        squared[some] = np.einsum("ij,ij->i", differences, differences)
    return squared
