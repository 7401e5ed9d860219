"""ALRA's rank and low-rank approximation, by randomised SVD (Linderman et al. 2022, Methods)."""

from __future__ import annotations

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd

from impbench import large

Floats = NDArray[np.float64]

OVERSAMPLES = 10
POWER_FOR_RANK = 2


def choose_rank(
    values: Floats,
    random_state: np.random.RandomState,
    n_values: int = 100,
    noise_start: int = 80,
    threshold: float = 6.0,
) -> int | None:
    """Return the largest i whose gap between singular values i and i + 1 is not noise.

    Parameters
    ----------
    values
        (cells, genes), not centred, at least `n_values` of both.
    random_state
        Draws the test matrix.
    n_values, noise_start
        The gaps after singular values `noise_start` − 1 to `n_values` − 1 are noise.
    threshold
        A gap is none when it exceeds their mean by more than this many standard deviations.

    Returns
    -------
    None if all gaps are noise.
    """
    singular = _svd(values, n_values, POWER_FOR_RANK, random_state)[1]
    gaps = singular[:-1] - singular[1:]
    noise = gaps[noise_start - 2 :]
    real = np.flatnonzero(gaps - noise.mean() > threshold * noise.std(ddof=1))
    return int(real[-1]) + 1 if len(real) else None


def approximate(
    values: Floats, rank: int, n_power: int, random_state: np.random.RandomState
) -> tuple[Floats, Floats]:
    """Return factors, (cells, rank) and (rank, genes), whose product approximates `values`."""
    left, singular, right = _svd(values, rank, n_power, random_state)
    return left * singular, right


def _svd(
    values: Floats, rank: int, n_power: int, random_state: np.random.RandomState
) -> tuple[Floats, Floats, Floats]:
    n_oversamples = min(OVERSAMPLES, min(values.shape) - rank)
    if values.nbytes >= large.LARGE:
        return _svd_by_blocks(values, rank, n_oversamples, n_power, random_state)
    left, singular, right = randomized_svd(
        values,
        rank,
        n_oversamples=n_oversamples,
        n_iter=n_power,
        power_iteration_normalizer="QR",
        random_state=random_state,
    )
    return left, singular, right


def _svd_by_blocks(
    values: Floats, rank: int, n_oversamples: int, n_power: int, random_state: np.random.RandomState
) -> tuple[Floats, Floats, Floats]:
    """Do what scikit-learn's `randomized_svd` does, holding some cells at a time."""
    many_cells = values.shape[0] >= values.shape[1]
    forth, back = (_times, _transposed_times) if many_cells else (_transposed_times, _times)
    basis = random_state.normal(size=(min(values.shape), rank + n_oversamples))
    for _ in range(n_power):
        basis = _orthonormal(forth(values, basis))
        basis = _orthonormal(back(values, basis))
    basis = _orthonormal(forth(values, basis))
    # values ≈ basis · (basisᵀ · values), of which the second is small.
    one, singular, other = scipy.linalg.svd(back(values, basis).T, full_matrices=False)
    long, short = basis @ one[:, :rank], other[:rank]
    return (long, singular[:rank], short) if many_cells else (short.T, singular[:rank], long.T)


def _times(values: Floats, basis: Floats) -> Floats:
    """Return values · basis, (cells, vectors), laid out for LAPACK."""
    product = np.empty((len(values), basis.shape[1]), order="F")
    for cells in large.some_rows(values):
        product[cells] = values[cells] @ basis
    return product


def _transposed_times(values: Floats, basis: Floats) -> Floats:
    """Return valuesᵀ · basis, (genes, vectors)."""
    product = np.zeros((values.shape[1], basis.shape[1]), order="F")
    for cells in large.some_rows(values):
        product += values[cells].T @ basis[cells]
    return product


def _orthonormal(vectors: Floats) -> Floats:
    basis: Floats
    basis, _ = scipy.linalg.qr(vectors, overwrite_a=True, mode="economic", check_finite=False)
    return basis
