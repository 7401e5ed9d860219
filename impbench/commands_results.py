"""The commands `report`, `merge` and `index`, for runs that are stored already."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Annotated, Literal

import typer

from impbench.options import Plugin, Png, Report, load_plugins, option


def report(
    folder: Annotated[Path, typer.Argument(help="Folder that `impbench run` wrote.")],
    png: Png = False,
    plugin: Plugin = None,
) -> None:
    """Draw the report of a finished or interrupted run again."""
    from impbench.report import write_report
    from impbench.results.store import Store

    load_plugins(plugin)
    # Records stay until the end: a search for garbage would pass through them again and again.
    gc.disable()
    stored = Store.open(folder).read()
    stored.store.write_results(stored.records)
    typer.echo(write_report(stored, png))


def merge(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...", help="Folders that `impbench run` wrote, or files of `submit`."
        ),
    ],
    out: Annotated[Path, option("Folder to write; may be one of them.", "--out", "-o")],
    prefer: Annotated[
        Literal["first", "last"] | None,
        option("Which run counts where scores of the same job differ.", show_default="refuse"),
    ] = None,
    suite: Annotated[
        str | None,
        option(
            "Suite that the runs are slices of, where it is a TOML file.",
            show_default="as the runs say",
        ),
    ] = None,
    pictures: Annotated[
        bool, option("Take along what maps of cells are made of.", "--pictures/--no-pictures")
    ] = True,
    draw: Report = True,
    png: Png = False,
    plugin: Plugin = None,
) -> None:
    """Put runs together, slices of one suite or runs of several machines, with one page for all."""
    from impbench import api
    from impbench.escape_text import visible
    from impbench.merging.merge import merge as put_together
    from impbench.merging.merge import read_run
    from impbench.registry import registry
    from impbench.run_options import command_line

    load_plugins(plugin)
    gc.disable()
    merged = put_together(
        [read_run(run) for run in runs],
        out,
        registry(),
        prefer=prefer,
        suite=None if suite is None else api.find_suite(suite),
        pictures=pictures,
        command=command_line(),
    )
    for text in merged.notes:
        typer.echo(visible(text), err=True)
    stored = merged.stored
    missing = len(stored.manifest.keys) - len(stored.records)
    lacking = f", {missing} planned jobs without one" if missing else ""
    typer.echo(f"{len(stored.records)} records in {out}{lacking}")
    if draw:
        from impbench.report import write_report

        typer.echo(f"report: {write_report(stored, png)}")


def index(
    folder: Annotated[Path, typer.Argument(help="Folder above those of finished runs.")],
) -> None:
    """Write an index.html over all runs below a folder: pages, files, and how to cite them."""
    from impbench.report import write_index

    typer.echo(write_index(folder))
