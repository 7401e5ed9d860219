"""Two imputers that keep every promise, and one that names its limits."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, parameter
from impbench.errors import InputError


@dataclass(frozen=True)
class Good(Imputer):
    """Deterministic, quick, without anything optional."""

    name = "good"
    summary = "Draws every value towards its gene's mean"
    citation = "unpublished"
    input_scale = "lognorm"

    weight: float = parameter(0.5, "Share of the gene's mean.", min=0, max=1)

    def impute(self, observed: Observed, context: Context) -> Imputed:
        return Imputed(self.values(observed, context), "lognorm")

    def values(self, observed: Observed, context: Context) -> Any:
        mean = observed.lognorm.mean(axis=0)
        return (1 - self.weight) * observed.lognorm + self.weight * mean


@dataclass(frozen=True)
class Rich(Good):
    """Stochastic, keeps observed values, and offers everything that is optional."""

    name = "rich"
    gives = ("expression", "embedding", "std")
    stochastic = True
    keeps_observed = True

    def impute(self, observed: Observed, context: Context) -> Imputed:
        assert context.scratch is None or not list(context.scratch.iterdir())
        if context.scratch is not None:
            folder = context.scratch / "allowed"
            folder.mkdir()
            (folder / "notes.txt").write_text("here")
            shutil.rmtree(folder)
        for step in range(4):
            context.progress(step, 4)
        rng = np.random.default_rng(context.seed)
        noise = rng.normal(0, 0.2, observed.lognorm.shape)
        zero = observed.lognorm == 0
        values = np.where(zero, self.values(observed, context) + noise, observed.lognorm)
        context.progress(4, 4)
        return Imputed(
            values,
            "lognorm",
            std=np.where(zero, 0.2, 0.0),
            embedding=values[:, :2].copy(),
            info={"noise": 0.2},
        )

    def impute_many(self, observed: Observed, contexts: Sequence[Context]) -> list[Imputed]:
        return [self.impute(observed, context) for context in contexts]


@dataclass(frozen=True)
class Refuses(Good):
    """Has limits and names them: no violation."""

    def values(self, observed: Observed, context: Context) -> Any:
        if observed.n_cells < 50:
            raise InputError(f"needs at least 50 cells, got {observed.n_cells}")
        return super().values(observed, context)


@dataclass(frozen=True)
class TwoSolutions(Good):
    """Ends in one of two solutions by chance: three seeds of either kind can agree."""

    stochastic = True

    def values(self, observed: Observed, context: Context) -> Any:
        # Seeds 1 to 3 all end in the first, 1000 to 1002 all in the second.
        second = context.seed >= 1000 if context.seed % 1000 <= 3 else context.seed % 2
        return super().values(observed, context) * (0.9 if second else 1.0)


@dataclass(frozen=True)
class Coordinates(Good):
    """Gives only an embedding: log values on axes drawn from the seed."""

    name = "coordinates"
    gives = ("embedding",)
    stochastic = True

    def impute(self, observed: Observed, context: Context) -> Imputed:
        rng = np.random.default_rng(context.seed)
        # As many as genes, so that distances between cells hardly depend on the seed.
        axes = rng.standard_normal((observed.n_genes, 400)) / 20
        return Imputed(embedding=observed.lognorm @ axes)


@dataclass(frozen=True)
class CoordinatesOfOtherCells(Coordinates):
    """The same, of the cells in another order."""

    name = "coordinates-of-other-cells"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        embedding = super().impute(observed, context).embedding
        assert embedding is not None
        return Imputed(embedding=embedding[np.argsort(observed.lognorm.sum(axis=1))])
