"""Methods that give only an embedding, and some that do not return what they declare."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter


@dataclass(frozen=True)
class RandomAxes(Imputer):
    """Log values on a few random axes."""

    name = "random-axes"
    summary = "Log values of a cell on a few random axes"
    citation = "unpublished, impbench's tests"
    input_scale = "lognorm"
    gives = ("embedding",)
    stochastic = True

    n_axes: int = parameter(5, "How many.", min=1)

    def impute(self, observed: Observed, context: Context) -> Imputed:
        rng = np.random.default_rng(context.seed)
        axes = rng.standard_normal((observed.n_genes, self.n_axes))
        return Imputed(embedding=(observed.lognorm @ axes).astype(np.float32))


@dataclass(frozen=True)
class Forgetful(Imputer):
    """Declares an expression, and returns coordinates alone."""

    name = "forgetful"
    summary = "Declares an expression, and returns none"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        return Imputed(embedding=observed.lognorm[:, :2].copy())


@dataclass(frozen=True)
class Empty(Imputer):
    """Declares an embedding, and returns nothing at all."""

    name = "empty-handed"
    summary = "Declares an embedding, and returns none"
    gives = ("embedding",)

    def impute(self, observed: Observed, context: Context) -> Imputed:
        return Imputed()


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    return [RandomAxes, Forgetful, Empty]
