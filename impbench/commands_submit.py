"""The command `submit`, by which others enter a method."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from impbench.command_help import Commands
from impbench.commands_data import DataDir, use_folder
from impbench.plugin_option import Plugin, load_plugins


def mount(app: Commands) -> None:
    """Add the command to the command line."""
    app.command()(submit)


def submit(
    method: Annotated[str, typer.Argument(help="Plugin file, or the name of an imputer.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="JSON file to write.")],
    suite: Annotated[str, typer.Option(help="Name of a suite, or a TOML file.")] = "default",
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Workers at once.", show_default="cores"),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Threads per worker.", show_default="cores / workers"),
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(
            help="Per job, such as 90s, 20m, 2h or none.", show_default="the suite's, or 1h"
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(help="Per worker, such as 4GB.", show_default="90 % shared evenly"),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:N or auto.")] = "auto",
    unisolated: Annotated[
        bool,
        typer.Option(
            "--unisolated", help="Go on where methods cannot be shut in; the file says so."
        ),
    ] = False,
    draw: Annotated[
        bool, typer.Option("--report/--no-report", help="Write the page, or the scores alone.")
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    plugin: Plugin = None,
    data_dir: DataDir = None,
) -> None:
    """Check a method, run a suite with a secret seed, and write its row for a pull request."""
    from impbench import api, terminal
    from impbench.entry.submit import run_folder
    from impbench.entry.submit import submit as measure
    from impbench.run_options import command_line, read_executor, read_settings
    from impbench.runner.sigterm import Terminated

    use_folder(data_dir)
    load_plugins(plugin)
    folder = run_folder(out)
    try:
        with terminal.display(quiet) as listener:
            results = measure(
                method,
                api.find_suite(suite),
                out,
                unisolated=unisolated,
                announce=(lambda text: None) if listener is None else listener.noticed,
                executor=read_executor(None, None, None, None, {}),
                settings=read_settings(jobs, threads, timeout, memory, device, False),
                listener=listener,
                command=command_line(),
                report=draw,
            )
    except KeyboardInterrupt as stopped:
        typer.echo(f"\nstopped; {folder} keeps what is finished. To go on:", err=True)
        typer.echo(f"  {command_line()}", err=True)
        raise typer.Exit(143 if isinstance(stopped, Terminated) else 130) from None
    terminal.print_results(results, quiet, as_json=False)
    if not quiet:
        typer.echo(f"{out}: send this file in a pull request; the run behind it is in {folder}")
