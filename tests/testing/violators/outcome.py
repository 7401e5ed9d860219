"""Imputers whose result is not what the contract or they themselves say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from violators.good import Good

from impbench import Context, Imputed, Observed


@dataclass(frozen=True)
class ReturnsImputed(Good):
    def impute(self, observed: Observed, context: Context) -> Imputed:
        return self.values(observed, context)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class GivesWhatItDeclares(Good):
    def impute(self, observed: Observed, context: Context) -> Imputed:
        values = self.values(observed, context)
        return Imputed(values, "lognorm", embedding=values[:, :2].copy())


@dataclass(frozen=True)
class GivesLess(Good):
    gives = ("expression", "std")


@dataclass(frozen=True)
class GivesUnknown(Good):
    gives = ("expresion",)  # type: ignore[assignment]


@dataclass(frozen=True)
class Shape(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        return super().values(observed, context)[:, :-1]


@dataclass(frozen=True)
class Dtype(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        return np.round(super().values(observed, context)).astype(int)


@dataclass(frozen=True)
class Finite(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        with np.errstate(all="ignore"):
            return np.log(observed.lognorm)


@dataclass(frozen=True)
class ScaleIsTrue(Good):
    """Natural logarithms, the most common mistake."""

    def values(self, observed: Observed, context: Context) -> Any:
        return observed.lognorm * np.log(2)


@dataclass(frozen=True)
class CountsDeclaredLog(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        return observed.dense_counts.astype(float)


@dataclass(frozen=True)
class LogDeclaredCounts(Good):
    def impute(self, observed: Observed, context: Context) -> Imputed:
        return Imputed(observed.lognorm.copy(), "counts")


@dataclass(frozen=True)
class NormalisedDeclaredCounts(Good):
    def impute(self, observed: Observed, context: Context) -> Imputed:
        return Imputed(observed.dense_counts / observed.size_factors[:, None], "counts")


@dataclass(frozen=True)
class LogWithoutSizeFactor(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        return np.log2(1 + observed.dense_counts)


@dataclass(frozen=True)
class StdIsNonNegative(Good):
    def impute(self, observed: Observed, context: Context) -> Imputed:
        values = self.values(observed, context)
        return Imputed(values, "lognorm", std=values - 1)


@dataclass(frozen=True)
class EmbeddingHasARowPerCell(Good):
    def impute(self, observed: Observed, context: Context) -> Imputed:
        values = self.values(observed, context)
        return Imputed(values, "lognorm", embedding=values[:, :2].T)


@dataclass(frozen=True)
class InfoIsJson(Good):
    def impute(self, observed: Observed, context: Context) -> Imputed:
        return Imputed(self.values(observed, context), "lognorm", info={"loss": np.float32(1.5)})


@dataclass(frozen=True)
class KeepsObservedValues(Good):
    keeps_observed = True


@dataclass(frozen=True)
class ResultIsACopy(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        return observed.lognorm


@dataclass(frozen=True)
class Raises(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        raise ValueError(f"no rule for {observed.n_cells} cells")


@dataclass(frozen=True)
class BeyondSingle(Good):
    """Finite numbers that float32, in which everything is scored, cannot hold."""

    def values(self, observed: Observed, context: Context) -> Any:
        return observed.lognorm.astype(float) + 1e300
