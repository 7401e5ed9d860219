"""What each cell type expresses by what is known beside its cells: the simulator, or bulk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from impbench.data.dataset import Dataset
from impbench.data.known_columns import bulk_profiles


@dataclass(frozen=True)
class Profiles:
    """Expression of the cell types and which genes differ."""

    types: NDArray[np.str_]
    """Sorted names, as in the labels."""
    means: NDArray[np.float64]
    """(2, types, genes) mean normalised counts, in the unit of a cell with the median library
    size: of the type, then of all other cells."""
    differs: NDArray[np.bool_] | None
    """(types, genes) whether the type's mean differs from that of the other cells by design, or
    None where no design is known."""


def simulated_profiles(dataset: Dataset) -> Profiles | None:
    """Return what the Splat model expects, or None if `dataset` is not of our simulator.

    A cell expects its share of gene mean x batch factor x DE factor of the median true library
    size; dropout, which comes after, plays no part. A gene differs where the type's DE factor is
    not the mean factor of the other cells.
    """
    labels, library = dataset.labels, dataset.true_library_size
    if labels is None or library is None or "gene_mean" not in dataset.genes:
        return None
    types, sizes = np.unique(labels, return_counts=True)
    columns = [f"de_factor_{name}" for name in types]
    if not set(columns) <= set(dataset.genes.columns):
        return None
    factors = dataset.genes[columns].to_numpy(dtype=np.float64).T
    of_type, others = _means(factors, sizes)
    expected = np.zeros_like(factors)
    batch = np.full(dataset.n_cells, "") if dataset.batch is None else dataset.batch
    for name in np.unique(batch):
        column = f"batch_factor_{name}"
        of_batch = dataset.genes[column].to_numpy() if column in dataset.genes else 1.0
        rates = dataset.genes["gene_mean"].to_numpy() * of_batch * factors
        here = np.array([np.mean(batch[labels == one] == name) for one in types])
        expected += here[:, None] * rates / rates.sum(axis=1, keepdims=True)
    expected *= np.median(library)
    return Profiles(types, _means(expected, sizes), ~np.isclose(of_type, others, rtol=1e-9))


def bulk_reference(dataset: Dataset) -> Profiles | None:
    """Return the bulk expression of every cell type, or None if a type or a gene lacks it.

    A gene's share of the bulk's total is multiplied by the cells' median library size.
    """
    bulk = bulk_profiles(dataset.genes)
    if dataset.labels is None or not bulk:
        return None
    types, sizes = np.unique(dataset.labels, return_counts=True)
    if not set(types) <= set(bulk):
        return None
    shares = np.stack([bulk[str(name)] for name in types])
    if not np.isfinite(shares).all():
        return None
    return Profiles(types, _means(shares * np.median(dataset.library_size), sizes), None)


def _means(of_type: NDArray[np.float64], sizes: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return values per type and their average over all other types' cells, (2, types, genes)."""
    weights = np.tile(sizes.astype(np.float64), (len(sizes), 1))
    np.fill_diagonal(weights, 0)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.stack([of_type, weights @ of_type])
