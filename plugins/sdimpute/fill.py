"""The new values of likely dropouts: means over other cells, weighted by how near these are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

CELLS = 512
"""Rows of the distances held at once."""


def bandwidths(plane: Floats, n_nearest: int | None) -> Floats:
    """Return each cell's bandwidth, (cells,).

    Parameters
    ----------
    plane
        (cells, 2) first two principal components.
    n_nearest
        The mean distance to so many nearest other cells; None: to all cells, itself included, as
        the original has it.
    """
    widths = np.empty(len(plane))
    for start in range(0, len(plane), CELLS):
        rows = slice(start, start + CELLS)
        between = distances(plane[rows], plane)
        if n_nearest is not None:
            # The nearest of all is the cell itself, at 0.
            n = min(n_nearest, len(plane) - 1)
            between = np.partition(between, n, axis=1)[:, : n + 1]
            widths[rows] = between.sum(axis=1) / n
        else:
            widths[rows] = between.mean(axis=1)
    return widths


def distances(some: Floats, others: Floats) -> Floats:
    """Return the distances in the plane, (some, others)."""
    lengths: Floats = np.hypot(
        some[:, None, 0] - others[None, :, 0], some[:, None, 1] - others[None, :, 1]
    )
    return lengths


def fill_cluster(
    counts: Floats,
    cells: Places,
    sources: Places,
    probabilities: Floats,
    threshold: float,
    plane: Floats,
    widths: Floats,
) -> Floats:
    """Return the counts of a cluster with its likely dropouts replaced, (cells of it, genes).

    Parameters
    ----------
    counts
        (cells, genes), all cells.
    cells
        Those of the cluster, rising.
    sources
        As many: where the value and the place of each are read. The cells themselves; but the
        original takes their positions within the cluster for positions among all cells.
    probabilities
        (cells of it, genes).
    threshold
        Entries above it are replaced, by means over the cells of the gene that are not; where
        there are none, by 0.
    plane, widths
        (cells, 2) and (cells,), as in `bandwidths`; the weight of j for i is exp(−d_ij / t_i).
    """
    replaced = probabilities > threshold
    safe = (~replaced).astype(np.float64)
    between = distances(plane[cells], plane[sources])
    # Where the cells all stand in one place, each counts alike.
    weights = np.exp(-between / np.where(widths > 0, widths, np.inf)[cells, None])
    totals = weights @ safe
    sums = weights @ (safe * counts[sources])
    means = np.divide(sums, totals, out=np.zeros_like(sums), where=totals > 0)
    return np.where(replaced, means, counts[cells])
