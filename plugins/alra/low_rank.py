"""ALRA's rank and low-rank approximation, by randomised SVD (Linderman et al. 2022, Methods)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd

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
    left, singular, right = randomized_svd(
        values,
        rank,
        n_oversamples=min(OVERSAMPLES, min(values.shape) - rank),
        n_iter=n_power,
        power_iteration_normalizer="QR",
        random_state=random_state,
    )
    return left, singular, right
