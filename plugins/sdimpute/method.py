"""SDImpute from counts to imputed counts: clusters, dropouts in each, what they become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from impbench import Context, Imputed, Observed
from impbench.errors import InputError

from .clusters import RUNS, find_clusters, principal_components
from .dropout import Floats, dropout_probabilities, logistic_coefficients
from .fill import bandwidths, fill_cluster


@dataclass(frozen=True)
class Filled:
    """Imputed counts and what led to them.

    Attributes
    ----------
    counts
        (cells, genes).
    probabilities
        (cells, genes) of being a dropout.
    coefficients
        Intercept and slope of each cluster; none where a cell is alone.
    """

    counts: Floats
    probabilities: Floats
    coefficients: list[tuple[float, float] | None]


def impute(
    observed: Observed,
    context: Context,
    ks: Sequence[int],
    n_clusters: int | None,
    threshold: float,
    n_nearest: int,
    repaired: bool,
) -> Imputed:
    """Cluster the cells with counts, then fill; see `SdImpute` for the parameters."""
    used = np.asarray(observed.counts.sum(axis=1)).ravel() > 0
    counts = observed.dense_counts[used].astype(np.float64)
    wanted = [n_clusters] if n_clusters is not None else sorted(set(ks))
    _, firsts, kinds = np.unique(counts, axis=0, return_index=True, return_inverse=True)
    _refuse_few(counts, len(firsts), max(wanted))
    context.progress(0, 100)
    with threadpool_limits(1, user_api="blas"):
        points = principal_components(counts)
        labels = find_clusters(
            points,
            firsts[kinds.ravel()],
            wanted,
            1 if n_clusters is not None else RUNS,
            context.seed,
            lambda part: context.progress(int(80 * part), 100),
        )
        if not repaired:
            _refuse_lone_cells(labels, context.seed)
        filled = impute_given(counts, labels, points[:, :2], threshold, n_nearest, repaired)
    expression = np.zeros((observed.n_cells, observed.n_genes), dtype=np.float32)
    expression[used] = filled.counts
    context.progress(100, 100)
    replaced = filled.probabilities > threshold
    info: dict[str, Any] = {
        "n_clusters": int(labels.max()) + 1,
        "n_imputed": int(replaced.sum()),
        "n_imputed_not_zero": int((replaced & (counts > 0)).sum()),
        "n_imputed_as_zero": int((replaced & (filled.counts == 0)).sum()),
    }
    return Imputed(expression, "counts", info=info)


def impute_given(
    counts: Floats,
    labels: NDArray[np.int64],
    plane: Floats,
    threshold: float = 0.5,
    n_nearest: int = 15,
    repaired: bool = False,
    coefficients: Sequence[tuple[float, float]] | None = None,
) -> Filled:
    """Impute from given clusters.

    Parameters
    ----------
    counts
        (cells, genes) float64.
    labels
        (cells,) from 0.
    plane
        (cells, 2) first two principal components.
    threshold, n_nearest, repaired
        As in `SdImpute`.
    coefficients
        Of each cluster's logistic regression; None fits them.
    """
    widths = bandwidths(plane, n_nearest if repaired else None)
    result, probabilities = counts.copy(), np.zeros_like(counts)
    used: list[tuple[float, float] | None] = []
    for cluster in range(int(labels.max()) + 1):
        cells = np.flatnonzero(labels == cluster)
        if len(cells) < 2:
            used.append(None)
            continue
        inside = counts[cells]
        curve = coefficients[cluster] if coefficients else logistic_coefficients(inside, threshold)
        used.append(curve)
        probabilities[cells] = dropout_probabilities(inside, curve, repaired)
        result[cells] = fill_cluster(
            counts,
            cells,
            cells if repaired else np.arange(len(cells)),
            probabilities[cells],
            threshold,
            plane,
            widths,
        )
    return Filled(result, probabilities, used)


def _refuse_few(counts: Floats, n_distinct: int, most: int) -> None:
    n_cells, n_genes = counts.shape
    if n_cells <= most or n_distinct < most:
        raise InputError(
            f"sdimpute clusters the cells into up to {most} groups, so more than {most} must have "
            f"counts and {most} must differ; {n_cells} have and {n_distinct} do. Give smaller "
            "numbers, such as sdimpute[ks=[2,3]]"
        )
    if n_genes < 2:
        raise InputError(
            "sdimpute compares genes with each other and needs at least 2; no parameter helps"
        )


def _refuse_lone_cells(labels: NDArray[np.int64], seed: int) -> None:
    sizes = np.bincount(labels)
    lone = int((sizes == 1).sum())
    if lone:
        raise InputError(
            f"sdimpute: with seed {seed}, {lone} of {len(sizes)} clusters hold one cell, of which "
            "the published program can compute no deviation: it fails. Give fewer clusters, such "
            "as sdimpute[ks=[2,3,4]], or sdimpute[repaired=true], which leaves such a cell as it is"
        )
