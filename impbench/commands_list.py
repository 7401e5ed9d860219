"""The commands `list` and `info`: what has a name here, and everything about one."""

from __future__ import annotations

from typing import Annotated

import typer

from impbench.command_help import Commands
from impbench.plugin_option import Plugin, load_plugins


def mount(app: Commands) -> None:
    """Add the commands to the command line."""
    app.command(name="list")(list_)
    app.command()(info)


def list_(
    kind: Annotated[
        str | None,
        typer.Argument(help="A kind of thing, such as imputers or executors."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    plugin: Plugin = None,
) -> None:
    """List what there is, plugins that failed to load included."""
    from impbench.listing import print_list

    load_plugins(plugin)
    print_list(kind, as_json)


def info(
    name: Annotated[
        str, typer.Argument(help="Any name that `impbench list` shows, parameters or not.")
    ],
    plugin: Plugin = None,
) -> None:
    """Say everything about one imputer, metric, dataset, protocol, suite, figure or executor."""
    from impbench.listing import print_info

    load_plugins(plugin)
    print_info(name)
