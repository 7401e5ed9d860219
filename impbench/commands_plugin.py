"""`impbench plugin new` and `impbench plugin test`."""

from __future__ import annotations

import faulthandler
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from impbench.command_help import Commands
from impbench.plugin_option import Plugin, load_plugins

if TYPE_CHECKING:
    from impbench.testing import CheckResult

plugin_app = Commands(help="Methods of your own: start one, test one.")


@plugin_app.command("new")
def start(
    name: Annotated[str, typer.Argument(help="Name of the method, such as my-method.")],
    kind: Annotated[
        Literal["package", "file", "command"],
        typer.Option(help="Installable package, single Python file, or program in any language."),
    ] = "package",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder.", show_default="./NAME")
    ] = None,
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
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Check an imputer against the contract; exit status 1 when a check fails."""
    # The imputer runs in this process; if compiled code crashes, say at least where.
    faulthandler.enable()
    from rich.console import Console
    from rich.progress import track

    from impbench.registry import registry
    from impbench.testing import checks

    load_plugins(plugin)
    imputer = registry().real_imputer(name)
    console = Console(stderr=True)
    results = [
        check.result(imputer)
        for check in track(checks(), imputer.spec, console=console, transient=True)
    ]
    _print_json(results) if as_json else _print_table(results)
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


def _print_table(results: list[CheckResult]) -> None:
    from rich.console import Console
    from rich.table import Table

    from impbench.escape_text import escape

    colours = {"passed": "green", "failed": "red", "skipped": "dim"}
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("check", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("reason")
    table.add_column("remedy")
    for result in results:
        reason, remedy = escape(result.message), ""
        if result.verdict == "failed":
            reason = f"{reason}. {escape(result.check.reason)}"
            remedy = escape(result.check.remedy)
        verdict = f"[{colours[result.verdict]}]{result.verdict}[/]"
        table.add_row(result.check.name, verdict, reason, remedy)
    console = Console(highlight=False)
    console.print(table)
    counts = {verdict: sum(r.verdict == verdict for r in results) for verdict in colours}
    console.print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
