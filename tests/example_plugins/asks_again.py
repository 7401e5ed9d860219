"""A single-file plugin: a protocol that asks several times, and a method that lacks a tool."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from impbench import Context, Imputed, Imputer, Observed, hookimpl, metric
from impbench.data.dataset import Dataset
from impbench.metrics.metric import Metric
from impbench.protocols.protocol import Again, Hidden, Problem, Protocol, observe

HALF = 20
OFFERS = ("seed_difference", "half_difference", "dense_extra", "sparse_extra", "text_extra")


@metric("seed-difference", title="Seed", direction="min")
def seed_difference(seed_difference: float) -> float:
    """Mean absolute difference between two seeds."""
    return seed_difference


@metric("half-difference", title="Half", direction="min")
def half_difference(half_difference: float) -> float:
    """Mean absolute difference between a half imputed alone and with the rest."""
    return half_difference


@metric("extras", title="Extras", direction="max")
def extras(dense_extra: Any, sparse_extra: Any, text_extra: Any) -> float:
    """Something that only holds when every extra arrived whole."""
    assert sp.issparse(sparse_extra)
    assert text_extra.tolist() == ["T", "β"]
    return float(dense_extra.sum() + sparse_extra.diagonal().sum() + len(text_extra))


@dataclass(frozen=True)
class AsksAgain(Protocol):
    name = "asks-again"
    summary = "Asks three times"
    offers = dict.fromkeys(OFFERS, "for tests")

    def obstacle(self, dataset: Dataset) -> str | None:
        return None

    def pose(self, dataset: Dataset, seed: int) -> Problem:
        observed, _, convention = observe(dataset, "own")
        half = Observed.from_counts(observed.counts[:HALF], observed.size_factors[:HALF])
        extra = {
            "dense_extra": np.array([1.0, 2.0]),
            "sparse_extra": sp.csr_matrix(np.eye(40)),
            "text_extra": np.array(["T", "β"]),
        }
        return Problem(
            observed,
            Hidden(extra=extra),
            ("seed-difference", "half-difference", "extras"),
            (convention,),
            again={"other-seed": Again(observed, 1000), "half": Again(half)},
        )

    def evidence(
        self, problem: Problem, imputed: Imputed, seed: int
    ) -> Mapping[str, Callable[[], Any]]:
        whole = imputed.lognorm(problem.observed)

        def difference(name: str) -> float:
            again = problem.answers[name].lognorm(problem.again[name].observed)
            return float(np.abs(again - whole[: len(again)]).mean())

        return {
            "seed_difference": lambda: difference("other-seed"),
            "half_difference": lambda: difference("half"),
        }


@dataclass(frozen=True)
class LacksATool(Imputer):
    name = "lacks-a-tool"
    summary = "Cannot run anywhere."

    @classmethod
    def unavailable(cls) -> str | None:
        return "unobtainium is missing; install it with: pip install unobtainium"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        raise AssertionError


@hookimpl
def impbench_metrics() -> list[Metric]:
    return [seed_difference, half_difference, extras]


@hookimpl
def impbench_protocols() -> list[type[Protocol]]:
    return [AsksAgain]


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    return [LacksATool]
