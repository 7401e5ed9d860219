"""What an imputation costs, as the runner measured it."""

from __future__ import annotations

from impbench.metrics.metric import loss

MIB = 2**20


@loss(
    title="Wall time",
    unit="s",
    reference="from the data handed over to the answer written; no imports, no `prepare`",
    bound="none",
)
def wall_seconds(wall_seconds: float) -> float:
    """Wall-clock time of the imputation alone."""
    return wall_seconds


@loss(
    title="CPU time",
    unit="s",
    reference="CPU time of `Imputer.impute`, summed over threads and child processes",
    bound="none",
)
def cpu_seconds(cpu_seconds: float) -> float:
    """CPU time of the imputation, all threads and children."""
    return cpu_seconds


@loss(
    title="Peak memory",
    unit="MiB",
    reference="peak resident memory of the worker's process tree, interpreter included",
    bound="none",
)
def peak_memory(peak_memory: float) -> float:
    """Peak resident memory of the process tree that ran the imputation."""
    return peak_memory / MIB
