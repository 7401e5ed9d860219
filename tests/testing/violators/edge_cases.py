"""Imputers without a guard for data at the edge of what is possible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from violators.good import Good

from impbench import Context, Observed


def _no_guard(message: str, where: Any) -> None:
    """Fail as code without a guard does."""
    if np.any(where):
        raise ZeroDivisionError(message)


@dataclass(frozen=True)
class ConstantGene(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        counts = observed.dense_counts
        _no_guard("gene's standard deviation", (counts.std(axis=0) == 0) & (counts.max() > 0))
        return super().values(observed, context)


@dataclass(frozen=True)
class SilentGene(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        with np.errstate(all="ignore"):
            return observed.lognorm / observed.lognorm.mean(axis=0)


@dataclass(frozen=True)
class EmptyCell(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        with np.errstate(all="ignore"):
            return observed.lognorm / observed.lognorm.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class IdenticalCells(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        distinct = len(np.unique(observed.dense_counts, axis=0))
        _no_guard("distance to the nearest cell", distinct < observed.n_cells)
        return super().values(observed, context)


@dataclass(frozen=True)
class TwentyCells(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        neighbours = np.argpartition(observed.lognorm, 30, axis=0)
        return super().values(observed, context) + 0 * neighbours


@dataclass(frozen=True)
class ThreeGenes(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        components = np.linalg.svd(observed.lognorm)[2][9]
        return super().values(observed, context) + 0 * components


@dataclass(frozen=True)
class LargeCounts(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        with np.errstate(all="ignore"):
            return np.log2(1 + np.log(np.exp(observed.dense_counts)))


@dataclass(frozen=True)
class NoZeros(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        imputed_before = observed.lognorm[observed.dense_counts == 0].max()
        return super().values(observed, context) + imputed_before


@dataclass(frozen=True)
class AllZeros(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        counts = observed.dense_counts
        return super().values(observed, context) + 0 * np.quantile(counts[counts > 0], 0.5)


@dataclass(frozen=True)
class FractionalCounts(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        histogram = np.zeros(int(observed.dense_counts.max()) + 1)
        if observed.counts.dtype.kind == "f" and (observed.dense_counts % 1).any():
            histogram[observed.dense_counts[0]] += 1
        return super().values(observed, context)


@dataclass(frozen=True)
class Batches(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        if observed.batch is not None:
            observed.batch.astype(int)
        return super().values(observed, context)


@dataclass(frozen=True)
class UnknownNumberOfGroups(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        return super().values(observed, context) + 0 * np.zeros(observed.n_groups)[0]  # type: ignore[operator]
