"""Show a run in the terminal: how it goes, its jobs, and what came out."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
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
from rich.text import Text

from impbench.data.dataset import Source
from impbench.escape_text import escape
from impbench.listing import plain_table
from impbench.plan.plan import Plan
from impbench.plan.task import Task
from impbench.results.failed_methods import failure_line
from impbench.results.record import Record
from impbench.runner.outcome import Results
from impbench.runner.settings import Listener
from impbench.runner.sigterm import Terminated
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


@contextmanager
def resumable(folder: Path, again: str) -> Iterator[None]:
    """Say, where Ctrl-C or SIGTERM ends a run, that the command line `again` goes on with it.

    Raises
    ------
    typer.Exit
        With the status that shells expect after that signal.
    """
    try:
        yield
    except KeyboardInterrupt as stopped:
        typer.echo(f"\nstopped; {folder} keeps what is finished. To go on:", err=True)
        typer.echo(f"  {again}", err=True)
        raise typer.Exit(143 if isinstance(stopped, Terminated) else 130) from None


class _Lines(Listener):
    """One line per event."""

    def __init__(self) -> None:
        self.total = self.done = 0
        self.start = time.monotonic()

    def preparing(self, what: str, done: int, total: int) -> None:
        self.say(f"preparing {what} ({done + 1} of {total})")

    def planned(self, jobs: int, done: int) -> None:
        self.total, self.done = jobs, done
        self.say(_plan_line(jobs, done))

    def building(self, environment: str) -> None:
        self.say(f"building the environment of {environment}")

    def noticed(self, text: str) -> None:
        self.say(text)

    def finished(self, record: Record) -> None:
        self.done += 1
        self.say(f"[{self.done}/{self.total}] {_record_line(record)}")

    def reporting(self) -> None:
        self.say("writing the report")

    def say(self, text: str) -> None:
        _err.print(f"{time.monotonic() - self.start:6.1f} s  {escape(text)}", soft_wrap=True)


class _Live(Listener):
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
        self.progress.start()

    def preparing(self, what: str, done: int, total: int) -> None:
        text = escape(f"preparing {what}"[:60])
        self.progress.update(self.bar, description=text, total=total, completed=done)

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
    if record.status != "ok":
        return f"{record.job}: {record.status}: {record.reason}"
    seconds = f" in {record.cost.wall_seconds:.2f} s" if record.cost else ""
    return f"{record.job}: ok{seconds}"


def print_results(results: Results, quiet: bool, as_json: bool) -> None:
    """Print the answer, the scores and where the report lies, then, in one line, what failed."""
    if as_json:
        answers = results.answers().reset_index()
        told = {
            "folder": str(results.folder),
            "report": None if results.report is None else str(results.report),
            "failed": [vars(method) for method in results.failed],
            "without_result": results.without_result,
            "answers": json.loads(answers.to_json(orient="records")),
            "scores": json.loads(results.scores.to_json(orient="records")),
        }
        print(json.dumps(told))
    elif not quiet:
        from impbench.report import terminal_report

        for part in terminal_report(results.stored):
            _out.print(part, soft_wrap=isinstance(part, Text))
        if results.report is not None:
            _out.print(f"report: {escape(str(results.report))}", soft_wrap=True)
        else:
            folder = shlex.quote(str(results.folder))
            _out.print(f"no report yet: impbench report {escape(folder)}", soft_wrap=True)
    if line := failure_line(results.failed, results.without_result):
        # Also where nothing else is to be said: a failure must not go unseen.
        _err.print(f"[red]{escape(line)}[/]", soft_wrap=True)


def print_head(source: Source) -> None:
    """Say what a user's own file holds, or fail as the run would; other datasets are known."""
    from impbench.data.read import FileSource

    if isinstance(source, FileSource):
        from impbench.inspection.head import look_at_head

        _err.print(escape(look_at_head(source)), soft_wrap=True)


def print_jobs(plan: Plan, as_json: bool) -> None:
    """Print every job of a plan."""
    jobs = plan.jobs()
    if as_json:
        print(json.dumps([vars(job) for job in jobs], default=str))
        return
    table = plain_table("dataset", "protocol", "imputer", "seed")
    for job in jobs:
        table.add_row(*map(escape, (job.dataset, job.protocol, job.imputer, str(job.seed))))
    _out.print(table)
    batches = ", per=batch where there are no two batches" if plan.asks_batches else ""
    _out.print(
        f"{len(jobs)} jobs at most: a protocol that does not apply to a dataset is skipped"
        f"{batches}, and {' and '.join(TRUTH_CONTROLS)} run besides where there is truth"
    )


@contextmanager
def download_bar(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show a bar on standard error; yields what is called with the bytes here and in all."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=_err, transient=True) as progress:
        bar = progress.add_task(escape(name), total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)
