"""SDImpute's clusters of cells: k-means for several k, that with the widest silhouettes kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from impbench_plugins.shared.r_kmeans import Labels, Partition, hartigan_wong
from impbench_plugins.shared.r_random import Samples
from numpy.typing import NDArray

from impbench.errors import InputError

Floats = NDArray[np.float64]

RUNS = 10
"""Of k-means for every k that is compared; one where k is given."""
ROUNDS = 10
"""R's iter.max."""
CELLS = 512
"""Rows of the distances held at once."""


def principal_components(counts: Floats) -> Floats:
    """Return all components of log2(counts per million + 2), centred, (cells, components).

    Parameters
    ----------
    counts
        (cells, genes), no cell empty.
    """
    values = counts * (1e6 / counts.sum(axis=1, keepdims=True))
    values += 2.0
    np.log2(values, out=values)
    values -= values.mean(axis=0)
    n_cells, n_genes = values.shape
    # The first two must be exact; of the others, only that they keep the distances of the cells.
    if n_genes < n_cells:
        axes = np.linalg.eigh(values.T @ values)[1][:, ::-1]
        return np.ascontiguousarray(values @ axes)
    squares, axes = np.linalg.eigh(values @ values.T)
    lengths = np.sqrt(np.maximum(squares[::-1], 0))
    return np.ascontiguousarray(axes[:, ::-1] * lengths)


def find_clusters(
    points: Floats,
    first_of_its_kind: NDArray[np.int64],
    ks: Sequence[int],
    n_runs: int,
    seed: int,
    progress: Callable[[float], None],
) -> Labels:
    """Cluster the cells for every k in turn; return the labels from 0 of widest silhouette.

    The starting cells are those that R's `kmeans` draws one after the other after
    ``set.seed(seed)``, so the clusters are the original's, seed by seed.

    Parameters
    ----------
    points
        (cells, components).
    first_of_its_kind
        (cells,) for each cell the first that is equal to it.
    ks
        Numbers of clusters, rising; fewer than cells, at most as many as cells that differ.
    progress
        Is told the share that is done.

    Raises
    ------
    InputError
        If k-means never finds so many clusters.
    """
    n_cells, distinct = len(points), np.unique(first_of_its_kind)
    samples = Samples(seed)
    found: list[Partition] = []
    for k in ks:

        def draw(k: int = k) -> Labels:
            starts = samples.sample(n_cells, k)
            if len(np.unique(first_of_its_kind[starts])) == k:
                return starts
            # R draws again, of the cells that differ.
            return distinct[samples.sample(len(distinct), k)]

        best = best_of(points, k, n_runs, draw)
        if best is None:
            raise InputError(
                f"sdimpute: k-means finds no {k} clusters that all hold a cell; give smaller "
                "numbers, such as sdimpute[ks=[2,3]]"
            )
        found.append(best)
        progress(len(found) / len(ks))
    if len(found) == 1:
        return found[0].labels
    widths = silhouette_widths(points, [partition.labels for partition in found])
    return found[int(np.argmax(widths))].labels


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
        found = hartigan_wong(points, draw(), ROUNDS)
        if found is None:
            failures += 1
            if failures > most_failures:
                return None
            continue
        done += 1
        if best is None or found.sum_of_squares < best.sum_of_squares:
            best = found
    return best


def silhouette_widths(points: Floats, clusterings: Sequence[Labels]) -> Floats:
    """Return the mean silhouette width of each clustering, (clusterings,).

    With a the mean distance of a cell to the others of its cluster and b the least mean distance
    to another cluster's, (b − a) / max(a, b); 0 for a cell that is alone (Rousseeuw 1987).

    Parameters
    ----------
    points
        (cells, dimensions).
    clusterings
        Each (cells,) labels from 0, at least two clusters.
    """
    members = [np.eye(labels.max() + 1)[labels] for labels in clusterings]
    together = np.concatenate(members, axis=1)
    sizes = [member.sum(axis=0) for member in members]
    squares = (points**2).sum(axis=1)
    totals = np.zeros(len(clusterings))
    for start in range(0, len(points), CELLS):
        rows = np.arange(start, min(start + CELLS, len(points)))
        distances = squares[rows, None] + squares - 2 * (points[rows] @ points.T)
        distances[np.arange(len(rows)), rows] = 0
        np.sqrt(np.maximum(distances, 0, out=distances), out=distances)
        sums = distances @ together
        first = 0
        for place, labels in enumerate(clusterings):
            n = sizes[place]
            own = sums[:, first : first + len(n)]
            totals[place] += _silhouettes(own, n, labels[rows]).sum()
            first += len(n)
    return totals / len(points)


def _silhouettes(sums: Floats, sizes: Floats, labels: Labels) -> Floats:
    """Return widths from each cell's summed distances to the clusters, (cells, clusters)."""
    rows = np.arange(len(labels))
    others = np.maximum(sizes[labels] - 1, 1)
    inside = sums[rows, labels] / others
    means = sums / sizes
    means[rows, labels] = np.inf
    outside = means.min(axis=1)
    larger = np.maximum(inside, outside)
    alone = (sizes[labels] == 1) | (larger == 0)
    return np.where(alone, 0.0, (outside - inside) / np.where(alone, 1.0, larger))
