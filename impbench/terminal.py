"""Print progress, lists, cards and the leaderboard in the terminal."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from impbench.environments.environments import unobtainable
from impbench.errors import NotFoundError
from impbench.escape_text import escape
from impbench.hooks import KINDS
from impbench.imputer import Imputer
from impbench.lookup import find
from impbench.metrics.metric import Metric
from impbench.page_figure import PageFigure
from impbench.parameters import Parametrised
from impbench.plan.plan import Plan
from impbench.plan.task import Task
from impbench.protocols.protocol import Protocol
from impbench.registry import Registry, registry
from impbench.results.failed_methods import failure_line
from impbench.results.record import Record
from impbench.runner.run import Results
from impbench.runner.settings import Listener
from impbench.truth_control import TRUTH_CONTROLS

_out = Console(highlight=False)
_err = Console(stderr=True, highlight=False)


@contextmanager
def display(quiet: bool) -> Iterator[Listener | None]:
    """Show a run on standard error: live in a terminal, plain lines elsewhere.

    However the run ends, the terminal is left as it was.
    """
    if quiet or not _err.is_terminal:
        yield None if quiet else _Lines()
        return
    live = _Live()
    try:
        yield live
    finally:
        live.progress.stop()


class _Lines:
    """One line per event."""

    def __init__(self) -> None:
        self.total = self.done = 0
        self.start = time.monotonic()

    def preparing(self, dataset: str) -> None:
        self.say(f"preparing {dataset}")

    def planned(self, jobs: int, done: int) -> None:
        self.total, self.done = jobs, done
        self.say(_plan_line(jobs, done))

    def building(self, environment: str) -> None:
        self.say(f"building the environment of {environment}")

    def noticed(self, text: str) -> None:
        self.say(text)

    def started(self, task: Task) -> None:
        pass

    def finished(self, record: Record) -> None:
        self.done += 1
        self.say(f"[{self.done}/{self.total}] {_record_line(record)}")

    def reporting(self) -> None:
        self.say("writing the report")

    def say(self, text: str) -> None:
        _err.print(f"{time.monotonic() - self.start:6.1f} s  {escape(text)}", soft_wrap=True)


class _Live:
    """A progress bar with the time left; failures stay on screen."""

    def __init__(self) -> None:
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=_err,
            transient=True,
        )
        self.bar = self.progress.add_task("preparing", total=None)
        self.running: list[str] = []
        self.progress.start()

    def preparing(self, dataset: str) -> None:
        self.progress.update(self.bar, description=f"preparing {escape(dataset)}")

    def planned(self, jobs: int, done: int) -> None:
        self.progress.console.print(_plan_line(jobs, done))
        self.progress.update(self.bar, description="running", total=jobs, completed=done)

    def building(self, environment: str) -> None:
        self.progress.console.print(f"building the environment of {escape(environment)}")

    def noticed(self, text: str) -> None:
        self.progress.console.print(f"[yellow]{escape(text)}[/]")

    def started(self, task: Task) -> None:
        text = f"{task.spec} on {task.posed[0].dataset}"
        self.progress.update(self.bar, description=escape(text[:60]))

    def finished(self, record: Record) -> None:
        self.progress.advance(self.bar)
        if record.status != "ok":
            self.progress.console.print(f"[red]{escape(_record_line(record))}[/]")

    def reporting(self) -> None:
        self.progress.stop()
        _err.print("writing the report")


def _plan_line(jobs: int, done: int) -> str:
    known = f", {done} of them done already (--fresh to redo)" if done else ""
    return f"{jobs} jobs{known}"


def _record_line(record: Record) -> str:
    job = record.job
    where = f"{job.imputer} on {job.dataset}, {job.protocol}, seed {job.seed}"
    if record.status != "ok":
        return f"{where}: {record.status}: {record.reason}"
    seconds = f" in {record.cost.wall_seconds:.2f} s" if record.cost else ""
    return f"{where}: ok{seconds}"


def print_results(results: Results, quiet: bool, as_json: bool) -> None:
    """Print the leaderboard and where the report lies, then, in one line, what failed."""
    if as_json:
        rows = json.loads(results.scores.to_json(orient="records"))
        print(
            json.dumps(
                {
                    "folder": str(results.folder),
                    "report": None if results.report is None else str(results.report),
                    "failed": [vars(method) for method in results.failed],
                    "without_result": results.without_result,
                    "scores": rows,
                }
            )
        )
    elif not quiet:
        from impbench.report import terminal_batches, terminal_leaderboard

        for part in terminal_leaderboard(results.stored):
            _out.print(part)
        for line in terminal_batches(results.stored):
            _out.print(escape(line))
        if results.report is not None:
            _out.print(f"report: {escape(str(results.report))}", soft_wrap=True)
        else:
            folder = shlex.quote(str(results.folder))
            _out.print(f"no report yet: impbench report {escape(folder)}", soft_wrap=True)
    if line := failure_line(results.failed, results.without_result):
        # Also where nothing else is to be said: a failure must not go unseen.
        _err.print(f"[red]{escape(line)}[/]", soft_wrap=True)


def print_jobs(plan: Plan, as_json: bool) -> None:
    """Print every job of a plan."""
    jobs = plan.jobs()
    if as_json:
        print(json.dumps([vars(job) for job in jobs], default=str))
        return
    table = _table("dataset", "protocol", "imputer", "seed")
    for job in jobs:
        table.add_row(*map(escape, (job.dataset, job.protocol, job.imputer, str(job.seed))))
    _out.print(table)
    batches = ", per=batch where there are no two batches" if plan.asks_batches else ""
    _out.print(
        f"{len(jobs)} jobs at most: a protocol that does not apply to a dataset is skipped"
        f"{batches}, and {' and '.join(TRUTH_CONTROLS)} run besides where there is truth"
    )


def print_list(kind: str | None, as_json: bool) -> None:
    """Print the names of one kind, or of all."""
    known = registry()
    kinds = KINDS if kind is None else (find_kind(kind),)
    listing = {name: dict(_summaries(known, name)) for name in kinds}
    if as_json:
        broken = [{"name": plugin.name, "reason": plugin.reason} for plugin in known.broken]
        print(json.dumps({**listing, "broken": broken}))
        return
    for name, entries in listing.items():
        if not entries:
            continue
        table = _table(name, "")
        for entry, summary in entries.items():
            table.add_row(f"[bold]{escape(entry)}[/]", escape(summary))
        _out.print(table)
    for plugin in known.broken:
        _out.print(f"[red]plugin {escape(plugin.name)} failed to load:[/] {escape(plugin.reason)}")


def find_kind(kind: str) -> str:
    """Accept ``imputer`` for ``imputers``; raise `NotFoundError` for anything else."""
    plural = kind if kind.endswith("s") else f"{kind}s"
    return find("kind of thing", dict(zip(KINDS, KINDS, strict=True)), plural)


def _summaries(known: Registry, kind: str) -> Iterable[tuple[str, str]]:
    if kind == "suites":
        from impbench.plan.suite import read_suite

        for name, path in known.suites.items():
            yield name, read_suite(path).description or read_suite(path).title
    elif kind == "imputers":
        for name, item in sorted(known.imputers.items()):
            lack = _lack(item)
            yield name, f"{item.summary} (unavailable: {lack})" if lack else item.summary
        yield from ((control.name, control.summary) for control in TRUTH_CONTROLS.values())
    else:
        yield from sorted(known.parts(kind).summaries().items())


def print_info(name: str) -> None:
    """Print everything about one thing, whatever kind it is."""
    known = registry()
    bare = name.partition("[")[0]
    if bare in TRUTH_CONTROLS:
        summary = TRUTH_CONTROLS[bare].summary
        _facts("imputer", bare, {"summary": summary, "control": "yes, built in", "ranked": "no"})
        return
    tables = {kind: known.parts(kind) for kind in KINDS}
    for kind, table in tables.items():
        if bare in table:
            _print_one(kind.removesuffix("s"), bare, table[bare])
            return
    everything = {entry: None for table in tables.values() for entry in table}
    *kinds, last = (kind.removesuffix("s") for kind in KINDS)
    try:
        find(f"{', '.join(kinds)} or {last}", everything, bare, known.broken)
    except NotFoundError as error:
        text = str(error).partition("; `impbench list")[0]
        hint = "" if "did you mean" in text else "; `impbench list` shows what there is"
        raise NotFoundError(text + hint) from None


def _print_one(kind: str, name: str, item: Any) -> None:
    if isinstance(item, Metric):
        _facts(kind, name, _metric_facts(registry().metric(name)))
    elif isinstance(item, type) and issubclass(item, Parametrised):
        facts = {"summary": item.summary}
        if issubclass(item, Imputer):
            facts.update(_imputer_facts(item))
        elif getattr(item, "reference", ""):
            facts["reference"] = item.reference  # type: ignore[attr-defined]
        if issubclass(item, Protocol):
            facts.update({f"offers {offer}": line for offer, line in item.offers.items()})
        _facts(kind, name, facts)
        _parameters(item)
    elif kind == "suite":
        _out.print(f"[bold]{escape(name)}[/] (suite): {escape(str(item))}", soft_wrap=True)
        _out.print(escape(item.read_text(encoding="utf-8")))
    elif isinstance(item, PageFigure):
        facts = {"summary": item.summary, "title": item.title, "one per": item.per}
        _facts(kind, name, {**facts, "section of the page": item.section})
    else:
        _facts(kind, name, {})


def _metric_facts(metric: Metric) -> dict[str, str]:
    low, high = metric.range
    return {
        "summary": metric.summary,
        "title": metric.title,
        "better": "smaller" if metric.direction == "min" else "larger",
        "unit": metric.unit or "none",
        "range": f"{low:g} to {high:g}",
        "skill 1": {
            "attainable": f"the score of attainable; {metric.ideal:g} where it did not run",
            "ideal": f"{metric.ideal:g}" if abs(metric.ideal) < float("inf") else "no skill",
            "none": "no skill: the best value is not the best imputation's alone",
        }[metric.bound],
        "interval over cells": "no" if metric.per_cell is None else "yes",
        "needs": ", ".join(map(_offered, metric.needs)),
        "reference": metric.reference,
    }


def _offered(need: str) -> str:
    """Name what a metric needs, and the protocols that offer it where it is not every problem."""
    protocols = registry().offers().get(need, [])
    return f"{need} (offered by {', '.join(sorted(protocols))})" if protocols else need


def _imputer_facts(imputer: type[Imputer]) -> dict[str, str]:
    return {
        "citation": imputer.citation or "none",
        "version": imputer.version,
        "input scale": imputer.input_scale,
        "stochastic": "yes, seeded" if imputer.stochastic else "no",
        "devices": ", ".join(imputer.devices),
        "keeps observed values": "yes" if imputer.keeps_observed else "no",
        "control": "yes" if imputer.is_control else "no",
        "requires": ", ".join(imputer.requires) or "nothing beyond impbench",
        "packages": ", ".join(imputer.packages) or "NumPy and SciPy alone",
        **({"requires Python": imputer.requires_python} if imputer.requires_python else {}),
        "available": "no: " + lack if (lack := _lack(imputer)) else "yes",
    }


def _lack(imputer: type[Imputer]) -> str | None:
    """Say why a method cannot run here."""
    return imputer.unavailable() or unobtainable(imputer)


def _facts(kind: str, name: str, facts: dict[str, str]) -> None:
    _out.print(f"[bold]{escape(name)}[/] ({kind})")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for key, value in facts.items():
        table.add_row(f"  {key}", escape(value))
    _out.print(table)


def _parameters(item: type[Parametrised]) -> None:
    if not item.describe():
        _out.print("  no parameters")
        return
    table = _table("parameter", "default", "type", "")
    for parameter in item.describe():
        symbol = f" ({parameter.symbol})" if parameter.symbol else ""
        table.add_row(
            f"[bold]{escape(parameter.name)}[/]{symbol}",
            escape(str(parameter.default)),
            escape(parameter.type),
            escape(parameter.help),
        )
    _out.print(table)


def print_catalogue() -> None:
    """Print the dataset catalogue."""
    from impbench.data.catalogue import listing

    rows = listing()
    table = _table(*rows[0]) if rows else _table()
    table.columns[0].no_wrap = True
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row.values()))
    _out.print(table)


@contextmanager
def download_bar(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show a bar on standard error; yields what is called with the bytes here and in all."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=_err, transient=True) as progress:
        bar = progress.add_task(escape(name), total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


def print_card(name: str) -> None:
    """Print one dataset's card."""
    from impbench.data.catalogue import describe

    _facts("dataset", name, {key: str(value) for key, value in describe(name).items()})


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column)
    return table
