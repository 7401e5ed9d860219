"""`impbench plugin new` and `impbench plugin test`."""

from __future__ import annotations

import faulthandler
import json
import textwrap
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from impbench.command_help import Commands
from impbench.options import Json, Plugin, load_plugins, option

if TYPE_CHECKING:
    from rich.console import Console

    from impbench.testing import CheckResult
    from impbench.testing.check import Verdict

plugin_app = Commands(help="Methods of your own: start one, test one.")


@plugin_app.command("new")
def start(
    name: Annotated[str, typer.Argument(help="Name of the method, such as my-method.")],
    kind: Annotated[
        Literal["package", "file", "command", "environment"],
        option(
            "Installable package, single Python file, program in any language, or Python file "
            "for a published package in an environment of its own."
        ),
    ] = "package",
    out: Annotated[Path | None, option("Folder.", "--out", "-o", show_default="./NAME")] = None,
) -> None:
    """Write a working, tested project; edit one function and it is yours."""
    from impbench.plugin_new import write_project

    folder = out or Path(name)
    for path in write_project(name, kind, folder):
        typer.echo(path)
    typer.echo(f"next: {folder / 'README.md'}")


@plugin_app.command("test")
def examine(
    name: Annotated[str, typer.Argument(help="Imputer, such as my-method or 'magic[t=5]'.")],
    plugin: Plugin = None,
    as_json: Json = False,
) -> None:
    """Check an imputer against the contract; exit status 1 when a check fails."""
    # The imputer runs in this process; if compiled code crashes, say at least where.
    faulthandler.enable()
    from rich.console import Console
    from rich.progress import track

    from impbench.escape_text import escape
    from impbench.registry import registry
    from impbench.testing import checks

    load_plugins(plugin)
    imputer = registry().real_imputer(name)
    console = Console(stderr=True)
    results = [
        check.result(imputer)
        for check in track(checks(), escape(imputer.spec), console=console, transient=True)
    ]
    _print_json(results) if as_json else print_findings(results)
    if any(result.verdict == "failed" for result in results):
        raise typer.Exit(1)


def _print_json(results: list[CheckResult]) -> None:
    rows = [
        {
            "check": result.check.name,
            "verdict": result.verdict,
            "message": result.message,
            "promise": result.check.promise,
            "reason": result.check.reason,
            "remedy": result.check.remedy,
        }
        for result in results
    ]
    print(json.dumps(rows))


def print_findings(results: list[CheckResult]) -> None:
    """Print a line per check, and below a failed one why it matters and what to do."""
    from rich.console import Console

    console = Console(highlight=False)
    repeated = Counter(result.message for result in results if result.verdict == "skipped")
    for result in results:
        if result.verdict == "skipped" and repeated[result.message] > 2:
            continue
        said = f": {result.message}" if result.message else ""
        _print_wrapped(console, result.verdict, f"{result.check.name}{said}")
        if result.verdict == "failed":
            _print_wrapped(console, "", f"why: {result.check.reason}")
            _print_wrapped(console, "", f"do: {result.check.remedy}")
    for message, times in repeated.items():
        if times > 2:
            _print_wrapped(console, "skipped", f"{times} checks: {message}")
    counts = Counter[str](result.verdict for result in results)
    told = (f"{counts[verdict]} {verdict}" for verdict in ("passed", "failed", "skipped"))
    console.print(", ".join(told))


def _print_wrapped(console: Console, label: Verdict | Literal[""], text: str) -> None:
    """Print `text` beside a label, wrapped at the terminal's width and indented."""
    from impbench.escape_text import escape, visible

    lines = textwrap.wrap(visible(text), max(20, console.width - len(_INDENT)))
    for place, line in enumerate(lines):
        start = label.ljust(len(_INDENT)) if place == 0 else _INDENT
        console.print(f"[{_COLOURS[label]}]{start}[/]{escape(line)}", soft_wrap=True)


_COLOURS = {"passed": "green", "failed": "red", "skipped": "dim", "": "default"}
_INDENT = " " * len("skipped  ")
