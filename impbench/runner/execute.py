"""Carry out one task: impute, score, and make its records."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from impbench.environments.environments import Environment
from impbench.plan.task import Posed, Task
from impbench.results.record import Cost, Record
from impbench.runner.attempt import Attempt, Workplace, run_workers
from impbench.scoring.score import ScoreReply, ScoreRequest
from impbench.scoring.scorer import ScoringError
from impbench.version import __version__
from impbench.worker.remove import remove_folder
from impbench.worker.reusable_worker import ReusableWorker

LOG_TAIL = 4000
"""Characters of the worker's output that a record keeps; the whole log stands beside it."""

Score = Callable[[ScoreRequest, float | None], ScoreReply]
"""Has an imputation scored, within so many seconds or None, or raises `ScoringError`."""


def execute(
    task: Task,
    workplace: Workplace,
    score: Score,
    stop: threading.Event,
    kept: ReusableWorker | None = None,
) -> list[Record]:
    """Return one record per (problem, seed) of `task`; never raises for what a method does.

    Parameters
    ----------
    kept
        A worker that may be used again; None starts one for this task.
    """
    folder = workplace.folder / task.mark
    remove_folder(folder)
    folder.mkdir(parents=True)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        if task.imputer is None:
            run = Attempt({}, None, "", {})
        else:
            run = run_workers(task, folder, workplace, stop, kept or ReusableWorker())
        records = list(_records(task, run, workplace, score, stop))
    finally:
        remove_folder(folder)
    return [replace(record, started=started) for record in records]


def _records(
    task: Task, run: Attempt, workplace: Workplace, score: Score, stop: threading.Event
) -> Iterator[Record]:
    environment = workplace.environments.get(type(task.imputer)) if task.imputer else None
    asked = environment.versions() if isinstance(environment, Environment) else {}
    versions = {**run.versions, **asked, "impbench": __version__}
    cost = None
    if run.spent is not None and run.failure is None:
        cost = Cost(
            wall_seconds=run.spent.wall_seconds / len(task.seeds),
            cpu_seconds=run.spent.cpu_seconds / len(task.seeds),
            peak_memory=run.peak_memory,
            device=task.device,
            threads=task.threads,
            seeds_at_once=len(task.seeds),
        )
    for seed in task.seeds:
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
                yield _scored(task, posed, record, run, workplace, score, stop)


def _scored(
    task: Task,
    posed: Posed,
    record: Record,
    run: Attempt,
    workplace: Workplace,
    score: Score,
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
        output=None if task.imputer is None else str(run.outputs[""] / f"seed-{seed}"),
        again={
            again.name: (str(again.view), str(run.outputs[again.name] / f"seed-{seed}"))
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
        reply = score(request, task.timeout)
    except ScoringError as error:
        if stop.is_set():
            return replace(record, status="cancelled", reason="the run was stopped")
        return replace(record, status="failed", reason=str(error))
    return replace(record, **vars(reply))
