"""A whole run: plan, pose, execute what is not done yet, store every record, write the report."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from impbench.data.locate import cache_folder, data_folder
from impbench.environments.environments import Built, build_all
from impbench.errors import InputError
from impbench.executors.gpus import find_gpus
from impbench.executors.local import run_locally
from impbench.imputer import Imputer
from impbench.plan.plan import Plan
from impbench.plan.task import Posed, Task, shares_seeds
from impbench.registry import Registry
from impbench.results.failed_methods import MethodFailed, failed_methods, without_result
from impbench.results.record import Record
from impbench.results.store import Store
from impbench.runner.describe_run import describe_run
from impbench.runner.problems import Problems, pose_all, strangers_in
from impbench.runner.secret import Secret, withhold
from impbench.runner.settings import DEFAULT_TIMEOUT, Listener, Settings, Silent
from impbench.runner.sigterm import graceful_sigterm
from impbench.scoring.imports import Imports
from impbench.truth_control import ORACLE, TruthControl
from impbench.worker.isolation import in_force
from impbench.worker.remove import remove_folder


@dataclass(frozen=True)
class Results:
    """What a run left behind.

    Attributes
    ----------
    folder
        The run's folder; see `impbench.results.store`.
    scores
        Tidy table: dataset, protocol, imputer, params, seed, metric, value, status, reason, key.
    report
        Path of the page, or None where it was not asked for.
    failed
        Methods that failed in at least one of their jobs.
    without_result
        Specs of the methods that the user named and that have no result at all.
    """

    folder: Path
    scores: pd.DataFrame
    report: Path | None
    failed: tuple[MethodFailed, ...] = ()
    without_result: tuple[str, ...] = ()


def run_plan(
    plan: Plan,
    out: Path,
    registry: Registry,
    settings: Settings,
    listener: Listener | None = None,
    command: str = "",
    report: bool = True,
    secret: Secret | None = None,
    png: bool = False,
) -> Results:
    """Carry out `plan` in the folder `out`, reusing every result that is there and still holds.

    What is simulated and masked is drawn from `secret` where there is one; the manifest tells it
    when the run has ended, interrupted or not.

    On KeyboardInterrupt the workers are stopped, what is finished is stored, and the interrupt
    goes on to the caller; the same call resumes. SIGTERM does the same after a grace period, and
    raises `impbench.runner.sigterm.Terminated`, which is a KeyboardInterrupt.

    Raises
    ------
    InputError
        If `out` cannot be written to, another run is writing there, it holds records of another
        schema, or no protocol applies to any of the datasets.
    NotApartError
        If a plugin of an imputer also brings a metric by which it would be judged.
    """
    tell: Listener = listener or Silent()
    store = Store.create(out)
    with graceful_sigterm():
        with store.locked(), plan.answering.kept_out():
            results = _run_locked(plan, store, registry, settings, tell, command, secret)
        if report:
            from impbench.report import write_report

            tell.reporting()
            results = replace(results, report=write_report(store, png=png))
    return results


def _run_locked(
    plan: Plan,
    store: Store,
    registry: Registry,
    settings: Settings,
    tell: Listener,
    command: str,
    secret: Secret | None,
) -> Results:
    work = store.folder / ".work"
    remove_folder(work)
    # Builders of packages are strangers' programs: they run before there is anything to be seen.
    built = {} if settings.cluster is not None else build_all(plan.kinds, tell.building)
    try:
        with closing(pose_all(plan, work, registry.metrics, tell.preparing, secret)) as problems:
            return _run_posed(
                plan, problems, built, store, registry, settings, tell, command, secret
            )
    except OSError as error:
        raise InputError(
            f"writing to {store.folder} failed: {error.strerror or error}; what was stored before "
            "is safe: mend that and run the same command again"
        ) from error
    finally:
        remove_folder(work)


def _run_posed(
    plan: Plan,
    problems: Problems,
    built: Built,
    store: Store,
    registry: Registry,
    settings: Settings,
    tell: Listener,
    command: str,
    secret: Secret | None,
) -> Results:
    if not problems.posed:
        raise InputError(_nothing_to_ask(problems))
    asking = strangers_in(plan, problems, registry)
    tasks = make_tasks(plan, problems, settings)
    keys = [key for task in in_plan_order(tasks) for key in task.keys]
    damaged = [] if settings.fresh else store.unreadable(keys)
    about = {
        "executor": settings.cluster.executor if settings.cluster else "local",
        "jobs": settings.jobs if settings.cluster is None else None,
        "threads_per_job": settings.threads,
        "timeout": _limit(settings, 1),
        "memory_limit": settings.memory,
        "device": settings.device,
        "isolation": in_force(),
        "opened": settings.openings.named(),
    }
    manifest = describe_run(plan, problems, registry, asking, keys, about, command)
    manifest["started"] = _now()
    store.write_manifest(manifest if secret is None else withhold(manifest, problems.redrawn))
    if secret is not None:
        manifest["secret_seed"] = secret.value
    store.note(f"begin: {command or plan.suite.name}; {len(keys)} jobs")
    for reason in damaged:
        text = f"ignored and done again: {reason}"
        store.note(text)
        tell.noticed(text)
    todo = tasks if settings.fresh else [t for t in map(_remaining(store), tasks) if t]
    total = len(keys)
    tell.planned(total, total - sum(len(task.keys) for task in todo))
    try:
        closed = _closed(settings, store, problems)
        _execute_all(todo, built, store, closed, tell, plan.answering.scoring_imports(asking))
    except KeyboardInterrupt:
        manifest["interrupted"] = True
        store.note("interrupted")
        store.write_manifest(manifest)
        store.write_results()
        raise
    manifest["finished"] = _now()
    store.write_manifest(manifest)
    store.note("end")
    records = store.records()
    jobs = [
        (task.job(posed, seed).imputer, task.key(posed, seed))
        for task in tasks
        for posed in task.posed
        for seed in task.seeds
    ]
    return Results(
        store.folder,
        store.write_results(records),
        report=None,
        failed=failed_methods(jobs, records),
        without_result=without_result(plan.named, records),
    )


def _closed(settings: Settings, store: Store, problems: Problems) -> Settings:
    """Hide from workers what holds truth, labels or results."""
    hidden = [store.folder, cache_folder(), *filter(None, [data_folder()]), *problems.files]
    return replace(settings, openings=replace(settings.openings, hidden=tuple(hidden)))


def _nothing_to_ask(problems: Problems) -> str:
    skipped = problems.skipped
    reasons = dict.fromkeys(f"{skip['dataset']}: {skip['reason']}" for skip in skipped)
    return "no question can be asked of these data:\n  " + "\n  ".join(reasons)


def make_tasks(plan: Plan, problems: Problems, settings: Settings) -> list[Task]:
    """Group the jobs that one imputation serves, those of one imputer side by side, controls last.

    Protocols that show the imputer the same data share its imputation. Seeds share a worker only
    where the method gains by it and runs on a GPU: on a CPU, separate workers use more cores.
    """
    views: dict[tuple[Imputer | TruthControl, Path, Any], list[Posed]] = {}
    for item in plan.asked:
        posed = problems.posed.get((item.source.spec, item.protocol.spec))
        if posed is None:
            continue
        everyone: list[Imputer | TruthControl] = [*item.imputers, *posed.controls]
        for one in everyone:
            group = views.setdefault((one, posed.view, posed.again), [])
            if posed not in group:
                group.append(posed)
    tasks = []
    for (one, *_), group in views.items():
        imputer = one if isinstance(one, Imputer) else None
        device = _device(imputer, settings)
        together = imputer is not None and shares_seeds(imputer) and device != "cpu"
        for seeds in [plan.seeds] if together else [(seed,) for seed in plan.seeds]:
            imputations = len(seeds) * (1 + len(group[0].again))
            task = Task(
                imputer=imputer,
                seeds=seeds,
                posed=tuple(group),
                device=device,
                threads=settings.threads,
                timeout=_limit(settings, imputations),
                memory=settings.memory,
                pictures=seeds[0] == plan.seeds[0],
                control=one if isinstance(one, TruthControl) else ORACLE,
            )
            tasks.append(task)
    # Controls last, and side by side what one worker can serve.
    answering = list(dict.fromkeys((task.imputer, task.control) for task in tasks))
    modules = [type(imputer).__module__ for imputer, _ in answering]
    order = {
        one: (one[0] is None or one[0].is_control, modules.index(module), place)
        for place, (one, module) in enumerate(zip(answering, modules, strict=True))
    }
    return sorted(tasks, key=lambda task: order[task.imputer, task.control])


def _limit(settings: Settings, imputations: int) -> float | None:
    """Return the seconds that so many imputations may take together; None is no limit."""
    each = DEFAULT_TIMEOUT if settings.timeout is None else settings.timeout
    return None if math.isinf(each) else each * imputations


def in_plan_order(tasks: Sequence[Task]) -> list[Task]:
    """Sort tasks as a reader expects: by dataset, then methods, controls last."""
    order = list(dict.fromkeys(task.posed[0].view for task in tasks))
    return sorted(tasks, key=lambda task: order.index(task.posed[0].view))


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


def _execute_all(
    tasks: Sequence[Task],
    built: Built,
    store: Store,
    settings: Settings,
    tell: Listener,
    imports: Imports,
) -> None:
    if not tasks:
        return
    with closing(_carry_out(tasks, built, store, settings, tell, imports)) as records:
        for record in records:
            tell.finished(store.write_record(record))


def _carry_out(
    tasks: Sequence[Task],
    built: Built,
    store: Store,
    settings: Settings,
    tell: Listener,
    imports: Imports,
) -> Generator[Record]:
    """Yield records as they come; closing it ends everything that still runs."""
    if settings.cluster is None:
        return run_locally(tasks, built, store, settings, tell, imports)
    from impbench.executors.dask.run import run_on_cluster

    return run_on_cluster(settings.cluster, tasks, store, settings, tell, imports)


def _device(imputer: Imputer | None, settings: Settings) -> str:
    """Choose the device a task is given: a GPU only for methods that can use one."""
    if imputer is None or "cuda" not in type(imputer).devices:
        return "cpu"
    if settings.device != "auto":
        return settings.device
    if settings.cluster is not None:
        # What the workers have must not decide which job this is: its key names the device.
        return "cpu"
    gpus = find_gpus() if settings.gpus is None else settings.gpus
    return "cuda" if gpus else "cpu"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
