"""Jobs on this machine."""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import psutil

from impbench.executors.machine.gpus import find_gpus
from impbench.runner.executor import Executor

if TYPE_CHECKING:
    from impbench.results.record import Record
    from impbench.runner.executor import Work
    from impbench.runner.settings import Settings


@dataclass(frozen=True)
class Local(Executor):
    """Processes of this machine."""

    name = "local"
    summary = "Processes of this machine, one job at a time on each GPU."
    environments_here = True

    def settle(self, settings: Settings) -> Settings:
        """Fill in one job per core, one thread each, memory shared evenly, a GPU if there is."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        cores = cores or 1
        jobs = settings.jobs or max(1, cores // (settings.threads or 1))
        gpus = find_gpus() if settings.gpus is None else settings.gpus
        auto = "cuda" if gpus else "cpu"
        return replace(
            settings,
            jobs=jobs,
            threads=settings.threads or max(1, cores // jobs),
            memory=settings.memory or int(0.9 * psutil.virtual_memory().total / jobs),
            device=auto if settings.device == "auto" else settings.device,
            gpus=gpus,
        )

    def carry_out(self, work: Work) -> Generator[Record]:
        """Yield a record per job as they come; errors as those of `run_processes`."""
        from impbench.executors.machine.processes import run_processes

        return run_processes(work)
