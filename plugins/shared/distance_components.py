"""Cell coordinates: principal components of a correlation distance, which is not always formed.

The rows of Z (cells × genes) have mean 0 and length 1, so that Z Zᵀ holds correlations and the
distances are D = 1 − Z Zᵀ. Centring a column of D leaves
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

Floats = NDArray[np.float64]

BLOCK = 2048
"""Cells whose rows of Z are held at once when there are more cells than genes."""


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


def needed_memory(n_cells: int, n_genes: int) -> int:
    """Return bytes that `distance_components` takes at least: four matrices of the smaller side."""
    return 4 * 8 * min(n_cells, n_genes) ** 2


def distance_components(
    values: NDArray[Any],
    unit_rows: Callable[[NDArray[Any]], Floats],
    min_share: float,
    max_components: int,
    progress: Callable[[float], None] = lambda done: None,
    and_next: bool = False,
) -> Components:
    """Find the leading components, those with a share of variance of at least `min_share`.

    Parameters
    ----------
    values
        (cells, genes).
    unit_rows
        Makes rows of Z from rows of `values`: mean 0 and length 1, or 0 throughout.
    max_components
        Bound on their number.
    progress
        Called with the finished part, 0 to 1.
    and_next
        Find the next component as well, whose share is smaller.
    """
    n_cells, n_genes = values.shape
    if n_cells <= n_genes:
        rows = unit_rows(values)
        centred = rows - rows.mean(axis=0)
        matrix = centred @ rows.T
        matrix /= _standard_deviations(np.einsum("ij,ij->j", matrix, matrix), n_cells)
        variances, loadings = _leading(
            matrix.T @ matrix, n_cells, min_share, max_components, and_next
        )
        progress(1.0)
        return Components(loadings, _shares(variances, n_cells))

    passes = 3 * -(-n_cells // BLOCK)
    done = 0

    def blocks() -> Iterator[tuple[slice, Floats]]:
        nonlocal done
        for start in range(0, n_cells, BLOCK):
            block = slice(start, start + BLOCK)
            yield block, unit_rows(values[block])
            done += 1
            progress(done / passes)

    gram, total = np.zeros((n_genes, n_genes)), np.zeros(n_genes)
    for _, rows in blocks():
        gram += rows.T @ rows
        total += rows.sum(axis=0)
    gram -= np.outer(total, total / n_cells)

    deviations = np.empty(n_cells)
    scaled_gram = np.zeros((n_genes, n_genes))
    for block, rows in blocks():
        squares = np.einsum("ij,ij->i", rows @ gram, rows)
        deviations[block] = _standard_deviations(squares, n_cells)
        rows /= deviations[block, None]
        scaled_gram += rows.T @ rows

    root_values, root = eigh(gram)
    root *= np.sqrt(np.maximum(root_values, 0))
    variances, vectors = _leading(
        root.T @ scaled_gram @ root, n_cells, min_share, max_components, and_next
    )
    to_loadings = root @ (vectors / np.sqrt(variances))
    loadings = np.empty((n_cells, len(variances)))
    for block, rows in blocks():
        loadings[block] = (rows / deviations[block, None]) @ to_loadings
    return Components(loadings, _shares(variances, n_cells))


def _standard_deviations(squares: Floats, n_cells: int) -> Floats:
    """Return each column's deviation; 1 for a column that does not vary, which then stays 0."""
    deviations = np.sqrt(np.maximum(squares, 0) / (n_cells - 1))
    return np.where(deviations < 1e-10, 1.0, deviations)


def _leading(
    matrix: Floats, n_cells: int, min_share: float, max_components: int, and_next: bool
) -> tuple[Floats, Floats]:
    """Return the wanted eigenvalues of a symmetric matrix, falling, and their vectors."""
    size = len(matrix)
    wanted = min(max_components, size)
    values, vectors = eigh(matrix, subset_by_index=(size - wanted, size - 1))
    keep = _shares(values, n_cells) >= min_share
    if and_next:
        keep[:-1] |= keep[1:]
    keep &= values > 1e-9 * n_cells
    return values[keep][::-1], vectors[:, keep][:, ::-1]


def _shares(values: Floats, n_cells: int) -> Floats:
    """Every column has variance 1, so the eigenvalues of AᵀA sum to N (N − 1)."""
    return values / (n_cells * (n_cells - 1.0))
