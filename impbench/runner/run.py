"""Run a benchmark: plan, pose, execute what is not done yet, store every record, report."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from impbench.data.locate import cache_folder, data_folder
from impbench.environments.environments import Built, build_all
from impbench.errors import InputError
from impbench.plan.plan import Plan
from impbench.plan.task import Posed, Task
from impbench.registry import Registry
from impbench.results.failed_methods import failed_methods, without_result
from impbench.results.record import Record
from impbench.results.store import Store, StoredRun
from impbench.runner.describe_run import describe_run
from impbench.runner.earlier_parts import EarlierParts
from impbench.runner.executor import Executor, Work
from impbench.runner.outcome import Results
from impbench.runner.problems import Problems, pose_all, strangers_in
from impbench.runner.secret import Secret, withhold
from impbench.runner.settings import Listener, Settings
from impbench.runner.sigterm import graceful_sigterm
from impbench.runner.tasks import controls_first, in_plan_order, make_tasks, time_limit
from impbench.worker.isolation import in_force
from impbench.worker.remove import remove_folder


@dataclass(frozen=True)
class RunRequest:
    """A run before it starts.

    Attributes
    ----------
    plan
        What is asked of whom.
    folder
        Where its results go, or are already.
    registry
        What the plan's names stand for.
    executor, settings
        Where and how it is carried out.
    secret
        What is simulated and masked is drawn from it; the manifest tells it when the run has
        ended, interrupted or not.
    command
        What would start this run again.
    """

    plan: Plan
    folder: Path
    registry: Registry
    executor: Executor
    settings: Settings
    secret: Secret | None = None
    command: str = ""


def run_plan(
    request: RunRequest,
    listener: Listener | None = None,
    report: bool = True,
    png: bool = False,
) -> Results:
    """Carry out what is requested, reusing every result that is there and still holds.

    On KeyboardInterrupt the workers are stopped, what is finished is stored, and the interrupt
    goes on to the caller; the same call resumes. SIGTERM does the same after a grace period, and
    raises `impbench.runner.sigterm.Terminated`, which is a KeyboardInterrupt.

    Raises
    ------
    InputError
        If the folder cannot be written to, another run is writing there, it holds records of
        another schema, no protocol applies to any of the datasets, or the executor cannot do what
        the settings ask.
    NotApartError
        If a plugin of an imputer also brings a metric by which it would be judged.
    """
    tell: Listener = listener or Listener()
    settings = request.executor.settle(request.settings)
    store = Store.create(request.folder)
    with graceful_sigterm():
        with store.locked(), request.plan.answering.kept_out():
            results = _run_locked(request, settings, store, tell)
        if report:
            from impbench.report import write_report

            tell.reporting()
            results = replace(results, report=write_report(results.stored, png))
    return results


def _run_locked(request: RunRequest, settings: Settings, store: Store, tell: Listener) -> Results:
    for text in request.plan.notices:
        tell.noticed(text)
    work = store.folder / ".work"
    remove_folder(work)
    plan, metrics = request.plan, request.registry.metrics
    # Builders of packages are strangers' programs: they run before there is anything to be seen.
    here = request.executor.environments_here
    built = build_all(plan.kinds, tell.building) if here else {}
    try:
        with closing(pose_all(plan, work, metrics, tell.preparing, request.secret)) as problems:
            return _run_posed(request, settings, problems, built, store, tell)
    except OSError as error:
        raise InputError(
            f"writing to {store.folder} failed: {error.strerror or error}; what was stored before "
            "is safe: mend that and run the same command again"
        ) from error
    finally:
        remove_folder(work)


def _run_posed(
    request: RunRequest,
    settings: Settings,
    problems: Problems,
    built: Built,
    store: Store,
    tell: Listener,
) -> Results:
    plan, secret, command = request.plan, request.secret, request.command
    if not problems.posed:
        raise InputError(_nothing_to_ask(problems))
    if plan.asks_batches and not problems.with_batches:
        raise InputError(_no_batches(problems))
    asking = strangers_in(plan, problems, request.registry, request.executor)
    tasks = make_tasks(plan, problems, settings)
    keys = [key for task in in_plan_order(tasks) for key in task.keys]
    records, damaged = ({}, []) if settings.fresh else store.readable(keys)
    about = {
        "executor": request.executor.name,
        "jobs": settings.jobs,
        "threads_per_job": settings.threads,
        "timeout": time_limit(settings, 1),
        "memory_limit": settings.memory,
        "device": request.settings.device,
        "isolation": in_force(),
        "opened": settings.openings.named(),
    }
    manifest = describe_run(plan, problems, request.registry, asking, keys, about, command)
    manifest["started"] = _now()
    remaining = (_remaining(task, records) for task in controls_first(tasks))
    todo = [task for task in remaining if task]
    parts = EarlierParts.of(store, records, works=bool(todo))
    parts.tell(manifest)
    store.write_manifest(manifest if secret is None else withhold(manifest, problems.redrawn))
    if secret is not None:
        manifest["secret_seed"] = secret.value
    store.note(f"begin: {command or plan.suite.name}; {len(keys)} jobs")
    for reason in damaged:
        text = f"ignored and done again: {reason}"
        store.note(text)
        tell.noticed(text)
    total = len(keys)
    tell.planned(total, total - sum(len(task.keys) for task in todo))
    if others := store.n_others(keys):
        tell.noticed(
            f"{store.folder} also holds what this run did not ask for (records: {others}; another "
            "choice, or another version). It stays there, and results and report leave it out. To "
            "see all together, name all in one command: what is done is not done again"
        )
    try:
        closed = _closed(settings, store, problems)
        imports = plan.answering.scoring_imports(asking)
        work = Work(todo, store.folder, closed, imports, built, tell)
        _execute_all(request.executor, work, store, records)
    except KeyboardInterrupt:
        manifest["interrupted"] = True
        parts.tell(manifest)
        store.note("interrupted")
        store.write_manifest(manifest)
        # With --fresh, old records are still there of what was not done again.
        store.write_results(store.read().records)
        raise
    manifest["finished"] = _now()
    parts.tell(manifest)
    told = store.write_manifest(manifest)
    store.note("end")
    stored = StoredRun(store, told, [records[key] for key in keys if key in records])
    jobs = [(task.spec, key) for task in tasks for key in task.keys]
    return Results(
        stored,
        store.write_results(stored.records),
        report=None,
        failed=failed_methods(jobs, stored.records),
        without_result=without_result(plan.named, stored.records),
    )


def _closed(settings: Settings, store: Store, problems: Problems) -> Settings:
    """Hide from workers what holds truth, labels or results."""
    data = filter(None, [data_folder()])
    hidden = [store.folder, cache_folder(), *data, *problems.files, *settings.openings.hidden]
    return replace(settings, openings=replace(settings.openings, hidden=tuple(hidden)))


def _nothing_to_ask(problems: Problems) -> str:
    skipped = problems.skipped
    reasons = dict.fromkeys(f"{skip['dataset']}: {skip['reason']}" for skip in skipped)
    return "no question can be asked of these data:\n  " + "\n  ".join(reasons)


def _no_batches(problems: Problems) -> str:
    lines = [
        f"{skip['dataset']}: {skip['reason'].partition('; ')[0]}"
        for skip in problems.skipped
        if skip["protocol"] == "per=batch"
    ]
    return (
        "to impute each batch alone (--per batch), a dataset must have two or more batches:\n  "
        + "\n  ".join(lines)
    )


def _remaining(task: Task, records: Mapping[str, Record]) -> Task | None:
    """Cut a task down to what has no good record yet; None when all has."""

    def missing(posed: Posed, seed: int) -> bool:
        record = records.get(task.key(posed, seed))
        # A failure is reported, but never cached as done: it is tried again.
        return record is None or record.status != "ok"

    seeds = tuple(s for s in task.seeds if any(missing(p, s) for p in task.posed))
    posed = tuple(p for p in task.posed if any(missing(p, s) for s in task.seeds))
    return replace(task, seeds=seeds, posed=posed) if seeds else None


def _execute_all(executor: Executor, work: Work, store: Store, records: dict[str, Record]) -> None:
    """Store every record as it comes, and keep it in `records`."""
    if not work.tasks:
        return
    # Closing it ends everything that still runs.
    with closing(executor.carry_out(work)) as done:
        for record in done:
            records[record.key] = store.write_record(record)
            work.listener.finished(records[record.key])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
