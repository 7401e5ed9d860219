"""The search that graphtools makes for its graph, exact and made once.

graphtools (2.1.0) asks for each cell's nearest, and where the kernel reaches beyond them asks again
for more. With MAGIC's `knn_max`, which is less than it asks for at first, the second search is the
first once more, for nearly all cells.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from impbench_plugins.shared.nearest import nearest
from numpy.typing import NDArray

FEWEST_CELLS = 1024
"""Up to so many graphtools searches by itself, which takes no time."""


class GraphSearch:
    """What graphtools needs of scikit-learn's `NearestNeighbors`.

    Parameters
    ----------
    points
        (cells, dimensions), those of the graph.
    """

    def __init__(self, points: NDArray[Any]) -> None:
        self._points = np.ascontiguousarray(points)
        self._rows = {row.tobytes(): i for i, row in enumerate(self._points)}
        self._found: dict[int, tuple[NDArray[np.float64], NDArray[np.int64]]] = {}

    def set_params(self, **_: Any) -> GraphSearch:
        """Take note of nothing: the number of threads makes no difference."""
        return self

    def kneighbors(
        self, queries: NDArray[Any], n_neighbors: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return distances and indices of the `n_neighbors` nearest of some of the points.

        Parameters
        ----------
        queries
            (queries, dimensions), each of them one of the points.
        """
        if n_neighbors not in self._found:
            self._found[n_neighbors] = nearest(self._points, self._points, n_neighbors)
        distances, indices = self._found[n_neighbors]
        rows = [self._rows[row.tobytes()] for row in np.ascontiguousarray(queries)]
        # Cells that coincide have the same distances: the last of them stands for all.
        return distances[rows], indices[rows]

    def radius_neighbors(
        self, queries: NDArray[Any], radius: float
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return distances and indices of all points within `radius` of some of the points."""
        from sklearn.neighbors import NearestNeighbors

        search = NearestNeighbors(algorithm="brute").fit(self._points)
        distances, indices = search.radius_neighbors(queries, radius)
        return distances, indices
