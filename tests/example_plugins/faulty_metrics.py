"""A single-file plugin: metrics that hang, crash, raise or remember."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from numpy.typing import NDArray

from impbench import Imputed, hookimpl
from impbench.data.dataset import Dataset
from impbench.metrics.metric import Metric
from impbench.metrics.metric import metric as declare
from impbench.protocols.protocol import Problem
from impbench.protocols.simulated_truth import SimulatedTruth


@declare("hangs-on-zeros", title="Hangs", direction="min")
def hangs(imputed: NDArray[Any]) -> float:
    """Never ends for an imputation of zeros."""
    while not imputed.any():
        time.sleep(1)
    return 1.0


@declare("crashes-on-zeros", title="Crashes", direction="min")
def crashes(imputed: NDArray[Any]) -> float:
    """Ends the scoring process for an imputation of zeros."""
    if not imputed.any():
        os._exit(1)
    return 1.0


@declare("raises-on-zeros", title="Raises", direction="min")
def raises(imputed: NDArray[Any]) -> float:
    """Cannot do with an imputation of zeros."""
    if not imputed.any():
        raise ZeroDivisionError("nothing but zeros")
    return 1.0


n_calls = 0


@declare("counts-its-calls", title="Calls", direction="min")
def counts_its_calls(imputed: NDArray[Any]) -> float:
    """How often this process has been asked."""
    global n_calls
    n_calls += 1
    return n_calls


@dataclass(frozen=True)
class Faulty(SimulatedTruth):
    name: ClassVar[str] = "faulty-metric"

    metric: str = "hangs-on-zeros"

    def pose(self, dataset: Dataset, seed: int) -> Problem:
        return replace(super().pose(dataset, seed), metrics=(self.metric,))


@dataclass(frozen=True)
class FaultyWithSeed(Faulty):
    name: ClassVar[str] = "faulty-metric-with-seed"

    def evidence(
        self, problem: Problem, imputed: Imputed, seed: int
    ) -> Mapping[str, Callable[[], Any]]:
        return {}


@hookimpl
def impbench_metrics() -> list[Metric]:
    return [hangs, crashes, raises, counts_its_calls]


@hookimpl
def impbench_protocols() -> list[type[Faulty]]:
    return [Faulty, FaultyWithSeed]
