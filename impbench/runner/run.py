"""A whole run: plan, pose, execute what is not done yet, store every record, write the report."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import psutil

from impbench.errors import InputError
from impbench.imputer import Imputer
from impbench.registry import Registry, plugin_files
from impbench.runner.environments import build_all
from impbench.runner.execute import Workplace, execute, thread_environment
from impbench.runner.manifest import describe_run
from impbench.runner.plan import Plan, Posed, Task, shares_seeds
from impbench.runner.problems import Problems, pose_all
from impbench.runner.record import Record
from impbench.runner.scorer import Scorer
from impbench.runner.store import Store

DEFAULT_TIMEOUT = 3600.0
"""Seconds a job may take unless the user or the suite says otherwise."""


@dataclass(frozen=True)
class Settings:
    """How to run, as opposed to what.

    Attributes
    ----------
    jobs
        Worker processes at once.
    threads
        Threads each may keep busy; jobs × threads should not exceed the cores.
    timeout
        Seconds per seed, or None for no limit.
    memory
        Bytes per worker's process tree, or None for no limit.
    device
        ``cpu``, ``cuda``, ``cuda:N`` or ``auto`` (a GPU for methods that can use one, if present).
    fresh
        Redo what is done already.
    """

    jobs: int
    threads: int
    timeout: float | None
    memory: int | None
    device: str = "auto"
    fresh: bool = False

    @classmethod
    def sensible(
        cls,
        jobs: int | None = None,
        threads: int | None = None,
        timeout: float | None = DEFAULT_TIMEOUT,
        memory: int | None = None,
        device: str = "auto",
        fresh: bool = False,
    ) -> Settings:
        """Fill in what is not given: one job per core, one thread each, memory shared evenly."""
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


@dataclass(frozen=True)
class Results:
    """What a run left behind.

    Attributes
    ----------
    folder
        The run's folder; see `impbench.runner.store`.
    scores
        Tidy table: dataset, protocol, imputer, params, seed, metric, value, status, reason, key.
    report
        Path of the page, or None where it was not asked for.
    """

    folder: Path
    scores: pd.DataFrame
    report: Path | None


def run_plan(
    plan: Plan,
    out: Path,
    registry: Registry,
    settings: Settings,
    listener: Listener | None = None,
    command: str = "",
    report: bool = True,
) -> Results:
    """Carry out `plan` in the folder `out`, reusing every result that is there and still holds.

    On KeyboardInterrupt the workers are stopped, what is finished is stored, and the interrupt
    goes on to the caller; the same call resumes.

    Raises
    ------
    InputError
        If `out` cannot be written to, another run is writing there, it holds records of another
        schema, or no protocol applies to any of the datasets.
    """
    tell: Listener = listener or Silent()
    store = Store.create(out)
    with store.locked():
        scores = _run_locked(plan, store, registry, settings, tell, command)
    page = None
    if report:
        from impbench.report import write_report

        tell.reporting()
        page = write_report(store)
    return Results(out, scores, page)


def _run_locked(
    plan: Plan, store: Store, registry: Registry, settings: Settings, tell: Listener, command: str
) -> pd.DataFrame:
    work = store.folder / ".work"
    shutil.rmtree(work, ignore_errors=True)
    try:
        with closing(pose_all(plan, work, registry.metrics, tell.preparing)) as problems:
            return _run_posed(plan, problems, store, registry, settings, tell, command)
    except OSError as error:
        raise InputError(
            f"writing to {store.folder} failed: {error.strerror or error}; what was stored before "
            "is safe: mend that and run the same command again"
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _run_posed(
    plan: Plan,
    problems: Problems,
    store: Store,
    registry: Registry,
    settings: Settings,
    tell: Listener,
    command: str,
) -> pd.DataFrame:
    if not problems.posed:
        raise InputError(_nothing_to_ask(problems))
    tasks = make_tasks(plan, problems, settings)
    keys = [key for task in in_plan_order(tasks) for key in task_keys(task)]
    damaged = [] if settings.fresh else store.unreadable(keys)
    about = {
        "jobs": settings.jobs,
        "threads_per_job": settings.threads,
        "timeout": settings.timeout,
        "memory_limit": settings.memory,
        "device": settings.device,
    }
    manifest = describe_run(plan, problems, registry, keys, about, command)
    manifest["started"] = _now()
    store.write_manifest(manifest)
    store.note(f"begin: {command or plan.suite.name}; {len(keys)} jobs")
    for reason in damaged:
        text = f"ignored and done again: {reason}"
        store.note(text)
        tell.noticed(text)
    todo = tasks if settings.fresh else [t for t in map(_remaining(store), tasks) if t]
    total = len(keys)
    tell.planned(total, total - sum(len(task_keys(task)) for task in todo))
    try:
        _execute_all(todo, store, settings, tell)
    except KeyboardInterrupt:
        manifest["interrupted"] = True
        store.note("interrupted")
        store.write_manifest(manifest)
        store.write_results()
        raise
    manifest["finished"] = _now()
    store.write_manifest(manifest)
    store.note("end")
    return store.write_results()


def _nothing_to_ask(problems: Problems) -> str:
    skipped = problems.skipped
    reasons = dict.fromkeys(f"{skip['dataset']}: {skip['reason']}" for skip in skipped)
    return "no question can be asked of these data:\n  " + "\n  ".join(reasons)


def make_tasks(plan: Plan, problems: Problems, settings: Settings) -> list[Task]:
    """Group the jobs that one worker process can do, the long ones first.

    Protocols that show the imputer the same data share its imputation. Seeds share a worker only
    where the method gains by it and runs on a GPU: on a CPU, separate workers use more cores.
    """
    views: dict[tuple[Imputer | None, Path, Any], list[Posed]] = {}
    for item in plan.asked:
        posed = problems.posed.get((item.source.spec, item.protocol.spec))
        if posed is None:
            continue
        everyone: list[Imputer | None] = [*item.imputers, *([None] if posed.has_truth else [])]
        for imputer in everyone:
            group = views.setdefault((imputer, posed.view, posed.again), [])
            if posed not in group:
                group.append(posed)
    tasks = []
    for (imputer, *_), group in views.items():
        device = _device(imputer, settings.device)
        together = imputer is not None and shares_seeds(imputer) and device != "cpu"
        for seeds in [plan.seeds] if together else [(seed,) for seed in plan.seeds]:
            imputations = len(seeds) * (1 + len(group[0].again))
            task = Task(
                imputer=imputer,
                seeds=seeds,
                posed=tuple(group),
                device=device,
                threads=settings.threads,
                timeout=settings.timeout and settings.timeout * imputations,
                memory=settings.memory,
                pictures=seeds[0] == plan.seeds[0],
            )
            tasks.append(task)
    return sorted(tasks, key=lambda task: task.imputer is None or task.imputer.is_control)


def in_plan_order(tasks: Sequence[Task]) -> list[Task]:
    """Sort tasks as a reader expects: by dataset, then methods, controls last."""
    order = list(dict.fromkeys(task.posed[0].view for task in tasks))
    return sorted(tasks, key=lambda task: order.index(task.posed[0].view))


def task_keys(task: Task) -> list[str]:
    """Keys of all records `task` makes."""
    return [task.key(posed, seed) for posed in task.posed for seed in task.seeds]


def _remaining(store: Store) -> Any:
    """Make a function that cuts a task down to what has no good record yet; None when all has."""

    def remaining(task: Task) -> Task | None:
        def missing(posed: Posed, seed: int) -> bool:
            record = store.record(task.key(posed, seed))
            # A failure is reported, but never cached as done: it is tried again.
            return record is None or record.status != "ok"

        seeds = tuple(s for s in task.seeds if any(missing(p, s) for p in task.posed))
        posed = tuple(p for p in task.posed if any(missing(p, s) for s in task.seeds))
        return replace(task, seeds=seeds, posed=posed) if seeds else None

    return remaining


def _execute_all(tasks: Sequence[Task], store: Store, settings: Settings, tell: Listener) -> None:
    """Run tasks on `settings.jobs` slots; each slot has a scoring process of its own."""
    if not tasks:
        return
    stop = threading.Event()
    folder = store.folder
    # Before any job, whose time would suffer from it.
    kinds = [type(task.imputer) for task in tasks if task.imputer is not None]
    built = build_all(kinds, tell.building)
    place = Workplace(folder / ".work" / "tasks", folder / "logs", folder / "pictures", built)
    hidden = {posed.hidden for task in tasks for posed in task.posed}
    with _scorers(store, settings, sorted(hidden)) as free:

        def carry_out(task: Task) -> list[Record]:
            if stop.is_set():
                return []
            scorer = free.pop()
            try:
                tell.started(task)
                return execute(task, place, scorer, stop)
            finally:
                free.append(scorer)

        with ThreadPoolExecutor(settings.jobs) as pool:
            waiting: set[Future[list[Record]]] = {pool.submit(carry_out, task) for task in tasks}
            try:
                while waiting:
                    finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in finished:
                        for record in future.result():
                            store.write_record(record)
                            tell.finished(record)
            except BaseException:
                stop.set()
                for future in waiting:
                    future.cancel()
                raise


@contextmanager
def _scorers(store: Store, settings: Settings, hidden: Sequence[int]) -> Iterator[list[Scorer]]:
    """One scoring process per slot, ended however the run ends."""
    env = thread_environment(settings.threads)
    log = store.folder / "logs" / "scoring.log"
    scorers = [Scorer(env, log, plugin_files(), hidden) for _ in range(settings.jobs)]
    free = list(scorers)
    try:
        yield free
    finally:
        for scorer in scorers:
            scorer.close()


def _device(imputer: Imputer | None, wanted: str) -> str:
    """Choose the device a task is given: a GPU only for methods that can use one."""
    if imputer is None or "cuda" not in type(imputer).devices:
        return "cpu"
    if wanted == "auto":
        return "cuda" if shutil.which("nvidia-smi") else "cpu"
    return wanted


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
