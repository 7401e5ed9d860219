"""How many groups of cells there are, by SIMLR's separation cost (Wang et al. 2017, Methods)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, svd
from scipy.spatial.distance import cdist

Floats = NDArray[np.float64]

WIDTHS = (1.0, 1.25, 1.5, 1.75, 2.0)
NEIGHBOURS = range(10, 31, 2)


def estimate_n_groups(expression: Floats, candidates: range = range(2, 13)) -> int:
    """Return the number of groups with the lowest separation cost.

    The cost of C groups is J(C) = Σ_ij Z_ij² / max_j Z_ij², Z the C leading eigenvectors of the
    normalised similarity, one row per cell, rotated towards one non-zero entry in each row; it is
    the number of cells when the groups are fully separate (Zelnik-Manor and Perona 2004).

    Parameters
    ----------
    expression
        (cells, genes) logged values.
    candidates
        Numbers to choose from; those not below the number of cells are left out.
    """
    numbers = [c for c in candidates if c < len(expression)]
    if not numbers:
        return 1
    similarity = _similarity(expression)
    degree = np.sqrt(similarity.sum(axis=0))
    similarity /= degree[:, None] * degree
    size = len(similarity)
    _, vectors = eigh(similarity, subset_by_index=(size - numbers[-1], size - 1))
    vectors = vectors[:, ::-1]
    costs = [_separation_cost(vectors[:, :c]) for c in numbers]
    return numbers[int(np.argmin(costs))]


def _similarity(expression: Floats) -> Floats:
    """Return the mean of SIMLR's 55 Gaussian kernels, widths adapted to each pair of cells."""
    distances = cdist(expression, expression, "sqeuclidean")
    ordered = np.sort(distances, axis=1)[:, 1:]
    mean = np.zeros_like(distances)
    for n in NEIGHBOURS:
        near = np.sqrt(ordered[:, :n]).mean(axis=1)
        pair = np.maximum((near[:, None] + near) / 2, 1e-12)
        for width in WIDTHS:
            scale = width * pair
            mean += np.exp(-distances / (2 * scale**2)) / (np.sqrt(2 * np.pi) * scale)
    root = np.sqrt(np.diag(mean))
    return mean / (root[:, None] * root)


def _separation_cost(vectors: Floats) -> float:
    """Rotate (cells, C) eigenvectors as Yu and Shi (2003) do and return J / cells."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    points = vectors / np.maximum(lengths, 1e-12)
    n_groups = points.shape[1]
    # Start from points as orthogonal to each other as possible.
    chosen = [0]
    overlap = np.zeros(len(points))
    for _ in range(n_groups - 1):
        overlap += np.abs(points @ points[chosen[-1]])
        chosen.append(int(np.argmin(overlap)))
    rotation = points[chosen].T
    previous = -1.0
    for _ in range(100):
        indicators = np.eye(n_groups)[np.argmax(points @ rotation, axis=1)]
        left, singular, right = svd(indicators.T @ points, full_matrices=False)
        rotation = (left @ right).T
        if abs(singular.sum() - previous) < 1e-10:
            break
        previous = singular.sum()
    squares = (points @ rotation) ** 2
    return float((squares / squares.max(axis=1, keepdims=True)).sum() / len(points))
