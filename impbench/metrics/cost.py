"""What an imputation costs, as the runner measured it."""

from __future__ import annotations

import math

from impbench.metrics.metric import metric

MIB = 2**20


@metric(
    "wall-seconds",
    title="Wall time",
    direction="min",
    unit="s",
    range=(0, math.inf),
    reference="from the data handed over to the answer written; no imports, no `prepare`",
    bound="none",
)
def wall_seconds(wall_seconds: float) -> float:
    """Wall-clock time of the imputation alone."""
    return wall_seconds


@metric(
    "cpu-seconds",
    title="CPU time",
    direction="min",
    unit="s",
    range=(0, math.inf),
    reference="CPU time of `Imputer.impute`, summed over threads and child processes",
    bound="none",
)
def cpu_seconds(cpu_seconds: float) -> float:
    """CPU time of the imputation, all threads and children."""
    return cpu_seconds


@metric(
    "peak-memory",
    title="Peak memory",
    direction="min",
    unit="MiB",
    range=(0, math.inf),
    reference="peak resident memory of the worker's process tree, interpreter included",
    bound="none",
)
def peak_memory(peak_memory: float) -> float:
    """Peak resident memory of the process tree that ran the imputation."""
    return peak_memory / MIB
