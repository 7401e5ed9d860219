"""scGNN's graph of cells: the k nearest in the embedding, and the far ones among them pruned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

_CELLS_PER_BLOCK = 512


@dataclass(frozen=True)
class NearestCells:
    """Edges from every cell to its k nearest.

    Attributes
    ----------
    neighbours
        (cells, k), nearest first.
    near
        (cells, k): whether the neighbour is no farther than the mean of the cell's k distances and
        one standard deviation (by k) more.
    """

    neighbours: NDArray[np.int64]
    near: NDArray[np.bool_]

    def union(self) -> sp.csr_matrix:
        """Return the graph of all lists, near or not, (cells, cells), not 0 where linked.

        The published program builds this graph from the lists alone, so that pruning has no effect
        on it. It is what its imputation and its graph autoencoder see.
        """
        n, k = self.neighbours.shape
        from_cell, to_cell = np.repeat(np.arange(n), k), self.neighbours.ravel()
        listed = sp.csr_matrix((np.ones(n * k), (from_cell, to_cell)), (n, n))
        return sp.csr_matrix(listed + listed.T)

    def degrees(self) -> NDArray[np.int64]:
        """Return each cell's number of neighbours in the union of all lists."""
        return np.asarray(self.union().getnnz(axis=1))

    def pairs_to_cluster(self) -> NDArray[np.int64]:
        """Return the pairs of cells, (pairs, 2), that Louvain sees.

        Where each of two cells lists the other, the list of the later cell decides: the published
        program sets the edge's weight twice.
        """
        n, k = self.neighbours.shape
        from_cell, to_cell = np.repeat(np.arange(n), k), self.neighbours.ravel()
        pairs = np.sort(np.column_stack([from_cell, to_cell]), axis=1)
        order = np.lexsort((from_cell, pairs[:, 1], pairs[:, 0]))
        pairs, near = pairs[order], self.near.ravel()[order]
        last = np.append((pairs[1:] != pairs[:-1]).any(axis=1), True)
        return pairs[last & near & (pairs[:, 0] != pairs[:, 1])]


def nearest(embedding: NDArray[np.float32], k: int) -> NearestCells:
    """Find the k nearest of every cell by Euclidean distance.

    The first place of the order is left out. It is the cell itself, unless another lies in the same
    spot and has a lower number.

    Parameters
    ----------
    embedding
        (cells, dimensions), more cells than k.
    """
    from scipy.spatial.distance import cdist

    neighbours, near = [], []
    for start in range(0, len(embedding), _CELLS_PER_BLOCK):
        distances = cdist(embedding[start : start + _CELLS_PER_BLOCK], embedding)
        order = np.argsort(distances, axis=1, kind="stable")[:, 1 : k + 1]
        found = np.take_along_axis(distances, order, axis=1)
        bound = found.mean(axis=1, keepdims=True) + found.std(axis=1, keepdims=True)
        neighbours.append(order)
        near.append(found <= bound)
    return NearestCells(np.concatenate(neighbours), np.concatenate(near))
