"""A stranger's protocol that brings evidence which impbench has never heard of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from impbench import Imputed, hookimpl
from impbench.data.dataset import Dataset
from impbench.protocols.protocol import Problem, Protocol, observe


def _change(expression: NDArray[Any]) -> NDArray[np.float64]:
    """Change from each cell to the next, (cells - 1, genes): cells stand for points in time."""
    return np.diff(np.asarray(expression, dtype=np.float64), axis=0)


@dataclass(frozen=True)
class Velocity(Protocol):
    """Compare how expression changes from cell to cell with the truth."""

    name = "velocity"
    summary = "Change of expression from cell to cell"
    offers: ClassVar[dict[str, str]] = {
        "velocity_true": "true change, log2 scale, (cells - 1, genes)",
        "velocity_found": "the same in the imputation, (cells - 1, genes)",
    }

    def obstacle(self, dataset: Dataset) -> str | None:
        return None if dataset.true_counts is not None else "it has no true counts"

    def pose(self, dataset: Dataset, seed: int) -> Problem:
        observed, hidden, convention = observe(dataset, "own")
        truth = hidden.truth()
        assert truth is not None
        extra = {"velocity_true": _change(truth.expression)}
        return Problem(observed, replace(hidden, extra=extra), ("velocity-mse",), (convention,))

    def evidence(
        self, problem: Problem, imputed: Imputed, seed: int
    ) -> Mapping[str, Callable[[], Any]]:
        return {"velocity_found": lambda: _change(imputed.lognorm(problem.observed))}


@hookimpl
def impbench_protocols() -> list[type[Protocol]]:
    return [Velocity]
