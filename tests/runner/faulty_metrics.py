"""A single-file plugin: questions whose metrics hang, crash or raise, for one of two methods."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from impbench import Context, Imputed, Imputer, Observed, hookimpl
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


@dataclass(frozen=True)
class Faulty(SimulatedTruth):
    name: ClassVar[str] = "faulty-metric"

    metric: str = "hangs-on-zeros"

    def pose(self, dataset: Dataset, seed: int) -> Problem:
        return replace(super().pose(dataset, seed), metrics=(self.metric,))


@dataclass(frozen=True)
class Zeros(Imputer):
    name = "zeros"
    summary = "Returns nothing but zeros."
    input_scale = "lognorm"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        return Imputed(np.zeros_like(observed.lognorm), "lognorm")


@hookimpl
def impbench_metrics() -> list[Metric]:
    return [hangs, crashes, raises]


@hookimpl
def impbench_protocols() -> list[type[Faulty]]:
    return [Faulty]


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    return [Zeros]
