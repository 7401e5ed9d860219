"""The command `submit`, by which others enter a method."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from impbench.options import (
    DataDir,
    Device,
    Jobs,
    Memory,
    Plugin,
    Quiet,
    Report,
    Suite,
    Threads,
    Timeout,
    load_plugins,
    option,
    use_folder,
)


def submit(
    method: Annotated[str, typer.Argument(help="Plugin file, or the name of an imputer.")],
    out: Annotated[Path, option("JSON file to write.", "--out", "-o")],
    suite: Suite = "default",
    jobs: Jobs = None,
    threads: Threads = None,
    timeout: Timeout = None,
    memory: Memory = None,
    device: Device = "auto",
    unisolated: Annotated[
        bool, option("Go on where methods cannot be shut in; the file says so.", "--unisolated")
    ] = False,
    draw: Report = True,
    quiet: Quiet = False,
    plugin: Plugin = None,
    data_dir: DataDir = None,
) -> None:
    """Check a method, run a suite with a secret seed, and write its row for a pull request."""
    from impbench import api, terminal
    from impbench.entry.submit import run_folder
    from impbench.entry.submit import submit as measure
    from impbench.run_options import command_line, read_settings

    use_folder(data_dir)
    load_plugins(plugin)
    folder = run_folder(out)
    with terminal.resumable(folder, command_line()), terminal.display(quiet) as listener:
        results = measure(
            method,
            api.find_suite(suite),
            out,
            unisolated=unisolated,
            announce=(lambda text: None) if listener is None else listener.noticed,
            settings=read_settings(jobs, threads, timeout, memory, device, False),
            listener=listener,
            command=command_line(),
            report=draw,
        )
    terminal.print_results(results, quiet, as_json=False)
    if not quiet:
        typer.echo(f"{out}: send this file in a pull request; the run behind it is in {folder}")
