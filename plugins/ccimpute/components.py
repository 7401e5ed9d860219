"""Cell coordinates: principal components of the distance matrix, without forming it for many cells.

With Z the unit ranks (cells × genes), the distances are D = 1 − Z Zᵀ. Centring a column of D leaves
−(Z − z̄) z_j, so the scaled matrix is A = −(Z − z̄)(Z/s)ᵀ with s_j² = z_jᵀ K z_j / (N − 1) and K =
(Z − z̄)ᵀ(Z − z̄). Its right singular vectors, the loadings, are the eigenvectors of (Z/s) K (Z/s)ᵀ,
whose rank is at most the number of genes: a genes × genes problem gives them exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from .distance import Floats, unit_ranks

BLOCK = 2048
"""Cells whose ranks are held at once when there are more cells than genes."""


@dataclass(frozen=True)
class Components:
    """Leading principal components of the distance matrix.

    Attributes
    ----------
    loadings
        (cells, components), unit columns, signs arbitrary.
    shares
        (components,) share of the total variance, falling.
    """

    loadings: Floats
    shares: Floats


def distance_components(
    counts: NDArray[Any],
    weights: Floats,
    min_share: float,
    max_components: int,
    progress: Callable[[float], None] = lambda done: None,
) -> Components:
    """Find the leading components, those with a share of variance of at least `min_share`.

    Parameters
    ----------
    counts, weights
        As in `weighted_spearman_distance`.
    max_components
        Bound on their number.
    progress
        Called with the finished part, 0 to 1.
    """
    n_cells, n_genes = counts.shape
    if n_cells <= n_genes:
        ranks = unit_ranks(counts, weights)
        centred = ranks - ranks.mean(axis=0)
        matrix = centred @ ranks.T
        matrix /= _standard_deviations(np.einsum("ij,ij->j", matrix, matrix), n_cells)
        values, loadings = _leading(matrix.T @ matrix, n_cells, min_share, max_components)
        progress(1.0)
        return Components(loadings, _shares(values, n_cells))

    passes = 3 * -(-n_cells // BLOCK)
    done = 0

    def blocks() -> Iterator[tuple[slice, Floats]]:
        nonlocal done
        for start in range(0, n_cells, BLOCK):
            rows = slice(start, start + BLOCK)
            yield rows, unit_ranks(counts[rows], weights)
            done += 1
            progress(done / passes)

    gram, total = np.zeros((n_genes, n_genes)), np.zeros(n_genes)
    for _, ranks in blocks():
        gram += ranks.T @ ranks
        total += ranks.sum(axis=0)
    gram -= np.outer(total, total / n_cells)

    deviations = np.empty(n_cells)
    scaled_gram = np.zeros((n_genes, n_genes))
    for rows, ranks in blocks():
        squares = np.einsum("ij,ij->i", ranks @ gram, ranks)
        deviations[rows] = _standard_deviations(squares, n_cells)
        ranks /= deviations[rows, None]
        scaled_gram += ranks.T @ ranks

    root_values, root = eigh(gram)
    root *= np.sqrt(np.maximum(root_values, 0))
    values, vectors = _leading(root.T @ scaled_gram @ root, n_cells, min_share, max_components)
    to_loadings = root @ (vectors / np.sqrt(values))
    loadings = np.empty((n_cells, len(values)))
    for rows, ranks in blocks():
        loadings[rows] = (ranks / deviations[rows, None]) @ to_loadings
    return Components(loadings, _shares(values, n_cells))


def _standard_deviations(squares: Floats, n_cells: int) -> Floats:
    """Return each column's deviation; 1 for a column that does not vary, which then stays 0."""
    deviations = np.sqrt(np.maximum(squares, 0) / (n_cells - 1))
    return np.where(deviations < 1e-10, 1.0, deviations)


def _leading(
    matrix: Floats, n_cells: int, min_share: float, max_components: int
) -> tuple[Floats, Floats]:
    """Return the wanted eigenvalues of a symmetric matrix, falling, and their vectors."""
    size = len(matrix)
    wanted = min(max_components, size)
    values, vectors = eigh(matrix, subset_by_index=(size - wanted, size - 1))
    keep = (_shares(values, n_cells) >= min_share) & (values > 1e-9 * n_cells)
    return values[keep][::-1], vectors[:, keep][:, ::-1]


def _shares(values: Floats, n_cells: int) -> Floats:
    """Every column has variance 1, so the eigenvalues of AᵀA sum to N (N − 1)."""
    return values / (n_cells * (n_cells - 1.0))
