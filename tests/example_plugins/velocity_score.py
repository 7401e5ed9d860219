"""A stranger's metric for another stranger's protocol: see velocity_question.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from impbench import hookimpl, metric
from impbench.metrics.metric import Metric


@metric("velocity-mse", title="Velocity MSE", direction="min", range=(0, float("inf")))
def velocity_mse(velocity_found: NDArray[np.float64], velocity_true: NDArray[np.float64]) -> float:
    """Mean squared error of the change from cell to cell."""
    return float(np.mean((velocity_found - velocity_true) ** 2))


@hookimpl
def impbench_metrics() -> list[Metric]:
    return [velocity_mse]
