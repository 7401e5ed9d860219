"""Say how a run is carried out, as opposed to what it asks, and who is told how it goes."""

from __future__ import annotations

from dataclasses import dataclass, field

from impbench.plan.task import Task
from impbench.results.record import Record
from impbench.runner.sigterm import GRACE
from impbench.runner.walls import Openings

DEFAULT_TIMEOUT = 3600.0
"""Seconds a job may take unless the user or the suite says otherwise."""


@dataclass(frozen=True)
class Settings:
    """How to run, as opposed to what; what is None is filled in by the executor.

    Attributes
    ----------
    jobs
        Worker processes at once. None: one per core, as far as `threads` allow; on a cluster its
        workers decide that.
    threads
        Threads each may keep busy; jobs × threads should not exceed the cores.
    timeout
        Seconds per seed; infinite for no limit, None for the suite's own or `DEFAULT_TIMEOUT`.
    memory
        Bytes per worker's process tree. None: nine tenths of the machine's, shared evenly; on a
        cluster of a worker's own limit.
    device
        ``cpu``, ``cuda``, ``cuda:N`` or ``auto`` (a GPU for methods that can use one, if present;
        on a cluster the CPU).
    fresh
        Redo what is done already.
    gpus
        Names of the GPUs to use, as in ``CUDA_VISIBLE_DEVICES``; None finds them.
    grace
        Seconds that jobs in flight may go on after SIGTERM.
    openings
        What workers may reach besides what each needs, and what none may.
    """

    jobs: int | None = None
    threads: int | None = None
    timeout: float | None = None
    memory: int | None = None
    device: str = "auto"
    fresh: bool = False
    gpus: tuple[str, ...] | None = None
    grace: float = GRACE
    openings: Openings = field(default_factory=Openings)


class Listener:
    """Somebody who wants to know how the run goes; what is not overridden says nothing."""

    def preparing(self, what: str, done: int, total: int) -> None:
        """A dataset is being loaded, or a question posed: `done` of `total` such steps are done."""

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
