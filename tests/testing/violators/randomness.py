"""Imputers in which something other than the seed decides, or the seed does not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from violators.good import Good, Rich

from impbench import Context, Imputed, Observed


@dataclass(frozen=True)
class SameSeedSameResult(Good):
    stochastic = True

    def values(self, observed: Observed, context: Context) -> Any:
        return observed.lognorm + np.random.default_rng().normal(0, 0.1, observed.lognorm.shape)


@dataclass(frozen=True)
class SeedIsHonoured(Good):
    stochastic = True

    def values(self, observed: Observed, context: Context) -> Any:
        return observed.lognorm + np.random.default_rng(42).normal(0, 0.1, observed.lognorm.shape)


@dataclass(frozen=True)
class SeedMattersUndeclared(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        noise = np.random.default_rng(context.seed).normal(0, 0.1, observed.lognorm.shape)
        return observed.lognorm + noise


@dataclass(frozen=True)
class AnySeedWorks(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        np.random.default_rng(context.seed - 1)
        return super().values(observed, context)


@dataclass(frozen=True)
class GlobalGeneratorsDoNotMatter(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        state = random.getstate()
        noise = random.gauss(0, 1)
        random.setstate(state)
        return super().values(observed, context) + noise


@dataclass(frozen=True)
class ThreadsDoNotMatter(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        parts = np.array_split(observed.lognorm, context.threads)
        return np.concatenate([part + part.mean(axis=0) for part in parts])


@dataclass(frozen=True)
class ManySeedsEqualSingleSeeds(Rich):
    def impute_many(self, observed: Observed, contexts: Sequence[Context]) -> list[Imputed]:
        return [self.impute(observed, contexts[0]) for _ in contexts]
