"""scImpute from counts to imputed counts, given the groups of cells or finding them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from impbench_plugins.shared.dropout_mixture import POINT, Floats, log_cpm
from numpy.typing import NDArray

from .groups import cell_coordinates, find_outliers, spectral_clusters
from .impute import impute_group

OUTLIER = -1


@dataclass(frozen=True)
class Groups:
    """Which group each cell belongs to.

    Attributes
    ----------
    labels
        (cells,) from 0; `OUTLIER` for a cell like no other, which stays as it is.
    coordinates
        (cells, components) for distances within a group.
    """

    labels: NDArray[np.int64]
    coordinates: Floats


def counts_of(values: Floats, library_sizes: Floats) -> Floats:
    """Invert `log_cpm`; values below that of a zero count become 0."""
    return (10.0 ** np.maximum(values, POINT) - 1.01) * (library_sizes[:, None] / 1e6)


def find_groups(values: Floats, n_groups: int, seed: int) -> Groups:
    """Group the cells that are no outliers; see `groups.spectral_clusters`."""
    coordinates = cell_coordinates(values, n_groups, seed)
    labels = np.full(len(values), OUTLIER)
    inside = ~find_outliers(coordinates)
    n_groups = min(n_groups, int(inside.sum()))
    labels[inside] = spectral_clusters(coordinates[inside], n_groups, seed)
    return Groups(labels, coordinates)


def impute_given(
    counts: NDArray[Any],
    groups: Groups,
    threshold: float = 0.5,
    progress: Callable[[int], None] = lambda n_cells: None,
) -> tuple[Floats, NDArray[np.bool_]]:
    """Impute each group by itself.

    Parameters
    ----------
    counts
        (cells, genes), no cell empty.
    groups
        The groups of these cells.
    threshold
        Dropout probability above which a value is replaced.
    progress
        Called with the number of cells done.

    Returns
    -------
    (cells, genes) counts, not rounded, and which entries were imputed.
    """
    values = log_cpm(counts)
    imputed = np.zeros(values.shape, dtype=bool)
    done = 0
    for label in range(int(groups.labels.max()) + 1):
        cells = groups.labels == label
        values[cells], imputed[cells] = impute_group(
            values[cells],
            groups.coordinates[cells],
            threshold,
            lambda n, before=done: progress(before + n),
        )
        done += int(cells.sum())
        progress(done)
    return counts_of(values, counts.sum(axis=1, dtype=np.float64)), imputed
