"""How a run is carried out, as opposed to what it asks, and who is told how it goes."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Protocol

import psutil

from impbench.errors import InputError
from impbench.executors.dask.cluster import Cluster
from impbench.plan.task import Task
from impbench.results.record import Record
from impbench.runner.sigterm import GRACE
from impbench.runner.walls import Openings

DEFAULT_TIMEOUT = 3600.0
"""Seconds a job may take unless the user or the suite says otherwise."""


@dataclass(frozen=True)
class Settings:
    """How to run, as opposed to what.

    Attributes
    ----------
    jobs
        Worker processes at once; on a cluster its workers decide that.
    threads
        Threads each may keep busy; jobs × threads should not exceed the cores.
    timeout
        Seconds per seed; infinite for no limit, None for the suite's own or `DEFAULT_TIMEOUT`.
    memory
        Bytes per worker's process tree, or None for no limit; on a cluster None is a worker's
        own limit, shared evenly.
    device
        ``cpu``, ``cuda``, ``cuda:N`` or ``auto`` (a GPU for methods that can use one, if present;
        on a cluster the CPU).
    fresh
        Redo what is done already.
    gpus
        Names of the GPUs to use, as in ``CUDA_VISIBLE_DEVICES``; None finds them.
    cluster
        Where to run; None is this machine.
    grace
        Seconds that jobs in flight may go on after SIGTERM.
    openings
        What workers may reach besides what each needs, and what none may.
    """

    jobs: int
    threads: int
    timeout: float | None
    memory: int | None
    device: str = "auto"
    fresh: bool = False
    gpus: tuple[str, ...] | None = None
    cluster: Cluster | None = None
    grace: float = GRACE
    openings: Openings = field(default_factory=Openings)

    @classmethod
    def sensible(
        cls,
        jobs: int | None = None,
        threads: int | None = None,
        timeout: float | None = None,
        memory: int | None = None,
        device: str = "auto",
        fresh: bool = False,
        cluster: Cluster | None = None,
    ) -> Settings:
        """Fill in what is not given: one job per core, one thread each, memory shared evenly.

        Raises
        ------
        InputError
            If `jobs` or a certain GPU is asked for on a cluster.
        """
        if cluster is not None:
            if jobs is not None:
                raise InputError(
                    "the workers decide how many jobs run at once: give --workers (batch jobs), "
                    "or start more Dask workers, instead of --jobs"
                )
            if device.startswith("cuda:"):
                raise InputError(f"device {device!r}: on a cluster a job takes any GPU; use cuda")
            return cls(1, threads or 1, timeout, memory, device, fresh, cluster=cluster)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        cores = cores or 1
        jobs = jobs or max(1, cores // (threads or 1))
        threads = threads or max(1, cores // jobs)
        if memory is None:
            memory = int(0.9 * psutil.virtual_memory().total / jobs)
        return cls(jobs, threads, timeout, memory, device, fresh)


class Listener(Protocol):
    """Somebody who wants to know how the run goes."""

    def preparing(self, dataset: str) -> None:
        """`dataset` is being loaded."""

    def planned(self, jobs: int, done: int) -> None:
        """There are `jobs` jobs, of which `done` have results from an earlier run."""

    def building(self, environment: str) -> None:
        """An environment is being built, for an imputer and the packages that it asks for."""

    def noticed(self, text: str) -> None:
        """Something the user should know went otherwise than planned, and goes on."""

    def started(self, task: Task) -> None:
        """A worker starts on `task`."""

    def finished(self, record: Record) -> None:
        """One job has its record."""

    def reporting(self) -> None:
        """All jobs are done; the report is being written."""


class Silent:
    """A `Listener` that says nothing."""

    def preparing(self, dataset: str) -> None: ...  # noqa: D102
    def planned(self, jobs: int, done: int) -> None: ...  # noqa: D102
    def building(self, environment: str) -> None: ...  # noqa: D102
    def noticed(self, text: str) -> None: ...  # noqa: D102
    def started(self, task: Task) -> None: ...  # noqa: D102
    def finished(self, record: Record) -> None: ...  # noqa: D102
    def reporting(self) -> None: ...  # noqa: D102
