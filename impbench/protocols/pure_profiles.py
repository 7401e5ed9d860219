"""What a cell that is a mixture of pure components should express, from pure cells alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from impbench.data.dataset import Dataset
from impbench.protocols.molecules import rows_without_zeros
from impbench.scale import normalise, size_factors

_NEXT_TO_NOTHING = 1e-3
"""Normalised count that keeps the logarithm of an expression of 0 finite."""


def pure_cells(proportions: NDArray[np.float64]) -> list[NDArray[np.intp]]:
    """Return the numbers of the cells that are of one component alone, for every component."""
    return [np.flatnonzero(share == 1) for share in proportions.T]


def pool(dataset: Dataset, groups: list[NDArray[np.intp]]) -> NDArray[np.float64]:
    """Return each group's share of counts per gene, (groups, genes): all its cells as one."""
    counts = rows_without_zeros(dataset.counts).astype(np.float64)
    return np.stack(
        [
            np.asarray(counts[cells].sum(axis=0)).ravel() / dataset.library_size[cells].sum()
            for cells in groups
        ]
    )


def contents(
    dataset: Dataset, proportions: NDArray[np.float64], profiles: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how much messenger RNA a part of each component brings, (components,), mean 1.

    Nine cells of which three are of a line with twice the RNA of the others are, to the sequencer,
    six parts of twelve. Library sizes do not show it, as normalisation takes them out, but the
    mixtures do: with cells of equal proportions q_k pooled to counts y_kg of L_k molecules, the
    contents r maximise the Poisson likelihood of y_kg around L_k Σ_c w_kc p_cg, where
    w_kc = q_kc r_c / Σ q_k r. These are few numbers from all mixtures and genes together.

    Parameters
    ----------
    dataset
        Whose mixtures are looked at.
    proportions
        (cells, components), adding up to 1.
    profiles
        (components, genes) shares of counts, as from `pool`.
    """
    # Every command and scoring process imports this file, and hardly any needs an optimiser.
    from scipy.optimize import minimize

    mixed = np.flatnonzero((proportions > 0).sum(axis=1) > 1)
    kinds, kind_of = np.unique(proportions[mixed].round(6), axis=0, return_inverse=True)
    groups = [mixed[kind_of.ravel() == kind] for kind in range(len(kinds))]
    exposure = np.array([dataset.library_size[cells].sum() for cells in groups])[:, None]
    counts = pool(dataset, groups) * exposure
    least = _NEXT_TO_NOTHING / np.median(dataset.library_size)

    def loss(logarithms: NDArray[np.float64]) -> float:
        rates = weights(kinds, np.exp(np.append(0, logarithms))) @ profiles + least
        return float((exposure * rates - counts * np.log(rates)).sum() / counts.sum())

    found = minimize(loss, np.zeros(len(profiles) - 1), method="L-BFGS-B")
    content = np.exp(np.append(0, found.x))
    return np.asarray(content / content.mean())


def weights(proportions: NDArray[np.float64], content: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each component's part of a cell's RNA, (cells, components), adding up to 1."""
    parts = proportions * content
    return np.asarray(parts / parts.sum(axis=1, keepdims=True))


def variance_ratio(dataset: Dataset, groups: list[NDArray[np.intp]]) -> NDArray[np.float64]:
    """Return each gene's F statistic of normalised counts between groups, (genes,).

    The variance between the groups' means over that within groups (one-way analysis of variance);
    about 1 where groups do not differ, and 0 for a gene without counts.
    """
    factors = size_factors(dataset.library_size)
    values = [normalise(dataset.counts[cells], factors[cells]) for cells in groups]
    n = np.array([len(cells) for cells in groups], dtype=np.float64)
    means = np.stack([part.mean(axis=0, dtype=np.float64) for part in values])
    within = sum(
        (np.square(part - mean).sum(axis=0) for part, mean in zip(values, means, strict=True)),
        start=np.zeros(dataset.n_genes),
    ) / (n.sum() - len(n))
    between = (n[:, None] * np.square(means - n @ means / n.sum())).sum(axis=0) / (len(n) - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.nan_to_num(between / within, nan=0.0, posinf=np.inf))
