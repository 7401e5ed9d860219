"""Imputers for which order, storage or names matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from violators.good import Good
from violators.randomness import SeedMattersUndeclared

from impbench import Context, Observed


@dataclass(frozen=True)
class CellOrder(Good):
    """Smooths over cells that stand next to each other in the file."""

    def values(self, observed: Observed, context: Context) -> Any:
        return (observed.lognorm + np.roll(observed.lognorm, 1, axis=0)) / 2


@dataclass(frozen=True)
class CellsSortedStochastic(SeedMattersUndeclared):
    """Returns the cells by library size; the noise is small beside that."""

    stochastic = True

    def values(self, observed: Observed, context: Context) -> Any:
        order = np.argsort(observed.size_factors, kind="stable")
        return super().values(observed, context)[order]


@dataclass(frozen=True)
class CellsSmoothedInOrderStochastic(SeedMattersUndeclared):
    stochastic = True

    def values(self, observed: Observed, context: Context) -> Any:
        return (super().values(observed, context) + np.roll(observed.lognorm, 1, axis=0)) / 2


@dataclass(frozen=True)
class GeneOrder(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        return observed.lognorm * np.linspace(0.5, 1.5, observed.n_genes)


@dataclass(frozen=True)
class SparseEqualsDense(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        counts = observed.counts
        mean = np.sum(counts, axis=0) / np.asarray([counts.size / observed.n_genes])
        return observed.lognorm + np.asarray(mean).ravel()


@dataclass(frozen=True)
class IntegersEqualFloats(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        is_float = observed.counts.dtype.kind == "f"
        return super().values(observed, context) * (1.01 if is_float else 1.0)


@dataclass(frozen=True)
class NamesDoNotMatter(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        spike_in = np.array([name.startswith("ERCC") for name in observed.gene_names])
        return np.where(spike_in, 0.0, super().values(observed, context))
