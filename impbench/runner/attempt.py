"""Start a worker for each imputation of a task, watch it, and report its answer or failure.

A crash, a hang, too much memory or an answer that is none becomes a failure with its reason.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from impbench.environments.environments import Built, Environment
from impbench.environments.interpreters import BuildError
from impbench.environments.package_links import link_packages
from impbench.imputer import Imputer
from impbench.plan.keys import plugin_file
from impbench.plan.task import Task
from impbench.results.record import Status
from impbench.runner.walls import CLOSED, Openings, may_be_kept, numba_folder, own_folders, walls
from impbench.worker.answer import AnswerError, WorkerError, read_answer, read_error, read_log
from impbench.worker.reusable_worker import Finished, Order, ReusableWorker, Spent
from impbench.worker.sandbox import Launch, Limits

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


@dataclass(frozen=True)
class Workplace:
    """Where a task may work and write."""

    folder: Path
    """For requests, outputs and scratch; emptied after each task."""
    logs: Path
    """Where a job's log goes, as ``KEY.log``."""
    pictures: Path
    """Where its picture goes, as ``KEY.npz``."""
    environments: Built = field(default_factory=dict)
    """Of the imputers that ask for one of their own."""
    openings: Openings | None = None
    """What workers may reach besides what each needs, and what none may; None builds no walls."""


@dataclass(frozen=True)
class NoAnswer:
    """Why an imputation has no result."""

    status: Status
    reason: str


@dataclass(frozen=True)
class Attempt:
    """What the workers of a task left behind."""

    outputs: dict[str, Path]
    """By name of the further imputation, and under ``""`` the main one's: the folder that holds
    ``seed-N``."""
    failure: NoAnswer | None
    """None where all of them gave an answer."""
    log: str
    versions: dict[str, str]
    spent: Spent | None = None
    """On the main one."""
    peak_memory: int = 0
    """Largest resident size of a worker's process tree, in bytes."""


def run_workers(
    task: Task, folder: Path, place: Workplace, stop: threading.Event, kept: ReusableWorker
) -> Attempt:
    """Run a worker for each imputation of `task`, in the environment its imputer asks for.

    Further imputations have workers of their own: none may gain by what another one saw.
    """
    assert task.imputer is not None
    environment = place.environments.get(type(task.imputer))
    if isinstance(environment, BuildError):
        unbuilt = NoAnswer(environment.status, str(environment))
        return Attempt({}, unbuilt, environment.log, {})
    again = task.posed[0].again
    wanted = [("", task.posed[0].view, 0), *((a.name, a.view, a.seed_shift) for a in again)]
    limit = None if task.timeout is None else task.timeout / len(wanted)
    caller = _Caller(replace(task, timeout=limit), place, environment, stop, kept)
    attempts = []
    for name, view, seed_shift in wanted:
        room = folder / (name or "imputation")
        room.mkdir()
        attempts.append(caller.impute(name, view, seed_shift, room))
        if attempts[-1].failure is not None:
            break
    main = attempts[0]
    return replace(
        main,
        outputs={name: path for each in attempts for name, path in each.outputs.items()},
        failure=attempts[-1].failure,
        log="".join(each.log for each in attempts),
    )


@dataclass(frozen=True)
class _Caller:
    """Runs the workers of one task, whose time limit is that of one of them."""

    task: Task
    place: Workplace
    environment: Environment | None
    stop: threading.Event
    kept: ReusableWorker

    def impute(self, name: str, view: Path, seed_shift: int, folder: Path) -> Attempt:
        """Run one worker in the new folder `folder`; say how it went."""
        output = folder / "output"
        for new in (folder / "scratch", output):
            new.mkdir()
        launch = Launch(self.task.mark, folder / "scratch", self._variables(folder), folder / "log")
        limits = Limits(self.task.timeout, self.task.memory)
        order = self._order(view, seed_shift, folder)
        finished = self.kept.run_limited(order, launch, limits, self.stop)
        failure, versions = _failure(self.task, finished, output), {}
        if failure is None:
            try:
                versions = read_answer(output, self.task.seeds, self._kind.gives).versions
            except AnswerError as error:
                failure = NoAnswer("failed", f"its answer is not usable: {error}")
        spent = finished.spent
        peak = max(finished.outcome.peak_memory, spent.peak_memory if spent else 0)
        return Attempt({name: output}, failure, read_log(folder / "log"), versions, spent, peak)

    def _order(self, view: Path, seed_shift: int, folder: Path) -> Order:
        task, imputer = self.task, self._kind
        file = plugin_file(imputer)
        request = {
            "imputer": {
                "module": imputer.__module__,
                "file": None if file is None else str(file),
                "class": imputer.__qualname__,
                "params": task.imputer.parameters() if task.imputer else {},
            },
            "seeds": task.seeds,
            "seed_shift": seed_shift,
            "device": task.device,
            "threads": task.threads,
            "memory": task.memory or psutil.virtual_memory().available,
            "scratch": str(folder / "scratch"),
            "walls": self._walls(folder),
            "variables": own_folders(folder / "scratch", may_be_kept(imputer)),
        }
        command = [sys.executable, "-P"]
        if self.environment is not None:
            link_packages(imputer, folder / "importable")
            command = self.environment.command()
        once = self.environment is not None or task.device != "cpu" or not may_be_kept(imputer)
        return Order(
            command=[*command, "-m", "impbench.worker.worker"],
            request=request,
            path=folder / "request.json",
            view=view,
            # What an imputer needs is imported once for all of its module.
            kind=None if once else (imputer.__module__, task.threads),
        )

    def _walls(self, folder: Path) -> dict[str, Any] | None:
        if self.place.openings is None:
            return None
        return walls(self.task, folder, self.environment, self.place.openings)

    def _variables(self, folder: Path) -> dict[str, str]:
        variables = thread_environment(self.task.threads)
        if self.task.device == "cuda" and self.task.gpu is not None:
            variables["CUDA_VISIBLE_DEVICES"] = self.task.gpu
        if self.environment is not None:
            variables = self.environment.variables(variables, folder / "importable")
        return {**variables, **numba_folder(folder / "scratch", may_be_kept(self._kind))}

    @property
    def _kind(self) -> type[Imputer]:
        assert self.task.imputer is not None
        return type(self.task.imputer)


def _failure(task: Task, finished: Finished, output: Path) -> NoAnswer | None:
    outcome = finished.outcome
    peak = f"{outcome.peak_memory / 2**20:.0f} MiB"
    if outcome.ended == "timeout":
        return NoAnswer("timeout", f"took longer than the limit of {task.timeout:g} s; stopped")
    if outcome.ended == "memory":
        limit = (task.memory or 0) / 2**20
        return NoAnswer("memory", f"used {peak}, more than the limit of {limit:.0f} MiB; stopped")
    if outcome.ended == "stopped":
        return NoAnswer("cancelled", "the run was stopped")
    try:
        error = read_error(output)
    except AnswerError as unreadable:
        return NoAnswer("failed", f"{_ending(outcome.status)}; {unreadable}")
    if error is not None:
        return NoAnswer(_status(error.type, finished.had_data), _reason(error))
    if finished.spent is None:
        return NoAnswer("failed", f"{_ending(outcome.status)}; its memory peaked at {peak}")
    return None


def _status(error: str, had_data: bool) -> Status:
    """Only what a method knew before it saw data makes it unavailable; later it has failed."""
    if error == "MemoryError":
        return "memory"
    return "unavailable" if error == "UnavailableError" and not had_data else "failed"


def _reason(error: WorkerError) -> str:
    reason = f"{error.type}: {error.message}".removesuffix(": ")
    closed = error.type == "PermissionError" or "Permission denied" in error.message
    return f"{reason}; {CLOSED}" if closed else reason


def _ending(status: int) -> str:
    """Put an exit status into words."""
    if status >= 0:
        return f"the worker exited with status {status} before it said that it was done"
    name = signal.Signals(-status).name
    hint = {
        "SIGSEGV": ", a crash in compiled code",
        "SIGKILL": ", probably by the system for want of memory",
    }
    return f"the worker was killed by {name}{hint.get(name, '')}"


def thread_environment(threads: int) -> dict[str, str]:
    """Return this process's environment with every thread pool limited to `threads`."""
    limits = dict.fromkeys(_THREAD_VARIABLES, str(threads))
    return {**os.environ, **limits, "PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1"}
