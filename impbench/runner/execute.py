"""Carry out one task: start the sandboxed worker, watch it, have its output scored, make records.

A crash, a hang, too much memory, a NaN or a wrong shape becomes a record with its reason.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from impbench import __version__
from impbench.runner.environments import Built, Environment
from impbench.runner.importable import link_packages
from impbench.runner.interpreters import BuildError
from impbench.runner.kept import KeptWorker
from impbench.runner.plan import Posed, Task, plugin_file
from impbench.runner.record import Cost, Record, Status
from impbench.runner.sandbox import Launch, Limits, Outcome, run_limited
from impbench.runner.score import ScoreRequest
from impbench.runner.scorer import Scorer, ScoringError

LOG_TAIL = 4000
"""Characters of the worker's output that a record keeps; the whole log stands beside it."""

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
    """Where a task may work and write.

    Attributes
    ----------
    folder
        For requests, outputs and scratch; emptied after each task.
    logs, pictures
        Where a job's log and picture go, as ``KEY.log`` and ``KEY.npz``.
    environments
        Of the imputers that ask for one of their own.
    """

    folder: Path
    logs: Path
    pictures: Path
    environments: Built = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """Why an imputation has no result."""

    status: Status
    reason: str


def execute(
    task: Task,
    workplace: Workplace,
    scorer: Scorer,
    stop: threading.Event,
    kept: KeptWorker | None = None,
) -> list[Record]:
    """Return one record per (problem, seed) of `task`; never raises for what a method does.

    Parameters
    ----------
    kept
        A worker that may be used again; None starts one for this task.
    """
    folder = workplace.folder / task.mark
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        if task.imputer is None:
            run = Attempt(folder, None, "", {})
        else:
            run = run_worker(task, folder, workplace.environments, stop, kept)
        records = list(_records(task, run, workplace, scorer, stop))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return [replace(record, started=started) for record in records]


def thread_environment(threads: int) -> dict[str, str]:
    """Return this process's environment with every thread pool limited to `threads`."""
    limits = dict.fromkeys(_THREAD_VARIABLES, str(threads))
    return {**os.environ, **limits, "PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True)
class Attempt:
    """What a worker left behind: ``seed-N`` folders in `folder`, or a failure."""

    folder: Path
    failure: Failure | None
    log: str
    done: dict[str, Any]
    peak_memory: int = 0


def run_worker(
    task: Task,
    folder: Path,
    environments: Built,
    stop: threading.Event,
    kept: KeptWorker | None = None,
) -> Attempt:
    """Run the worker for `task`, in the environment its imputer asks for; say how it went."""
    assert task.imputer is not None
    imputer = type(task.imputer)
    environment = environments.get(imputer)
    if isinstance(environment, BuildError):
        unbuilt = Failure(environment.status, str(environment))
        return Attempt(folder, unbuilt, environment.log, {})
    file = plugin_file(imputer)
    scratch = folder / "scratch"
    scratch.mkdir()
    request = {
        "imputer": {
            "module": imputer.__module__,
            "file": None if file is None else str(file),
            "class": imputer.__qualname__,
            "params": task.imputer.parameters(),
        },
        "view": str(task.posed[0].view),
        "again": [
            {"name": again.name, "view": str(again.view), "seed_shift": again.seed_shift}
            for again in task.posed[0].again
        ],
        "seeds": task.seeds,
        "device": task.device,
        "threads": task.threads,
        "scratch": str(scratch),
    }
    path = folder / "request.json"
    path.write_text(json.dumps(request), encoding="utf-8")
    command, variables = [sys.executable, "-P"], thread_environment(task.threads)
    if task.device == "cuda" and task.gpu is not None:
        variables["CUDA_VISIBLE_DEVICES"] = task.gpu
    if environment is not None:
        link_packages(imputer, folder / "importable")
        command = environment.command()
        variables = environment.variables(variables, folder / "importable")
    command += ["-m", "impbench.runner.worker"]
    # What an imputer needs is imported once for all of its module.
    purpose = [imputer.__module__, file, task.threads]
    launch = Launch(task.mark, cwd=scratch, env=variables, log=folder / "log")
    limits = Limits(task.timeout, task.memory)
    if kept is None or task.device != "cpu" or environment is not None:
        outcome = run_limited([*command, str(path)], launch, limits, stop)
    else:
        outcome = kept.run_limited(command, path, purpose, launch, limits, stop)
    log = (folder / "log").read_text(encoding="utf-8", errors="replace")
    failure = _failure(task, outcome, folder)
    done = {} if failure else json.loads((folder / "done.json").read_text(encoding="utf-8"))
    return Attempt(folder, failure, log, done, outcome.peak_memory)


def _failure(task: Task, outcome: Outcome, folder: Path) -> Failure | None:
    peak = f"{outcome.peak_memory / 2**20:.0f} MiB"
    if outcome.ended == "timeout":
        return Failure("timeout", f"took longer than the limit of {task.timeout:g} s; stopped")
    if outcome.ended == "memory":
        limit = (task.memory or 0) / 2**20
        return Failure("memory", f"used {peak}, more than the limit of {limit:.0f} MiB; stopped")
    if outcome.ended == "stopped":
        return Failure("cancelled", "the run was stopped")
    if (folder / "error.json").exists():
        error = json.loads((folder / "error.json").read_text(encoding="utf-8"))
        status: Status = {"MemoryError": "memory", "UnavailableError": "unavailable"}.get(
            error["type"], "failed"
        )  # type: ignore[assignment]
        return Failure(status, f"{error['type']}: {error['message']}".removesuffix(": "))
    if not (folder / "done.json").exists():
        return Failure("failed", f"{_ending(outcome.status)}; its memory peaked at {peak}")
    return None


def _ending(status: int) -> str:
    """Put an exit status into words."""
    if status >= 0:
        return f"the worker exited with status {status} before it had a result"
    name = signal.Signals(-status).name
    hint = {
        "SIGSEGV": ", a crash in compiled code",
        "SIGKILL": ", probably by the system for want of memory",
    }
    return f"the worker was killed by {name}{hint.get(name, '')}"


def _records(
    task: Task, run: Attempt, workplace: Workplace, scorer: Scorer, stop: threading.Event
) -> Iterator[Record]:
    environment = workplace.environments.get(type(task.imputer)) if task.imputer else None
    asked = environment.versions() if isinstance(environment, Environment) else {}
    versions = {"impbench": __version__, **asked, **run.done.get("versions", {})}
    for seed in task.seeds:
        cost = None
        if task.imputer is not None and run.failure is None:
            cost = Cost(
                wall_seconds=run.done["wall_seconds"],
                cpu_seconds=run.done["cpu_seconds"],
                peak_memory=max(run.peak_memory, run.done["peak_memory"]),
                device=task.device,
                threads=task.threads,
                seeds_at_once=len(task.seeds),
            )
        for posed in task.posed:
            key = task.key(posed, seed)
            record = Record(
                key=key,
                job=task.job(posed, seed),
                status="ok",
                log=run.log[-LOG_TAIL:],
                metrics=posed.metrics,
                cost=cost,
                versions=versions,
            )
            if run.log:
                (workplace.logs / f"{key}.log").write_text(run.log, encoding="utf-8")
            if run.failure is not None:
                yield replace(record, status=run.failure.status, reason=run.failure.reason)
            else:
                yield _scored(task, posed, record, run, workplace, scorer, stop)


def _scored(
    task: Task,
    posed: Posed,
    record: Record,
    run: Attempt,
    workplace: Workplace,
    scorer: Scorer,
    stop: threading.Event,
) -> Record:
    seed = record.job.seed
    cost = record.cost
    picture = None
    if task.pictures and seed == task.seeds[0]:
        picture = workplace.pictures / f"{record.key}.npz"
    request = ScoreRequest(
        view=str(posed.view),
        hidden=posed.hidden,
        output=None if task.imputer is None else str(run.folder / f"seed-{seed}"),
        again={
            again.name: (str(again.view), str(run.folder / again.name / f"seed-{seed}"))
            for again in posed.again
            if task.imputer is not None
        },
        protocol=posed.protocol,
        metrics=record.metrics,
        seed=seed,
        cost={
            "wall_seconds": cost.wall_seconds if cost else float("nan"),
            "cpu_seconds": cost.cpu_seconds if cost else float("nan"),
            "peak_memory": cost.peak_memory if cost else float("nan"),
        },
        picture=None if picture is None else str(picture),
        control=task.control.name,
    )
    try:
        reply = scorer.score(request, task.timeout)
    except ScoringError as error:
        if stop.is_set():
            return replace(record, status="cancelled", reason="the run was stopped")
        return replace(record, status="failed", reason=str(error))
    return replace(record, scores=reply.scores, info=reply.info, notes=reply.notes)
