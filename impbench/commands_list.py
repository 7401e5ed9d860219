"""The commands `list` and `info`: what has a name here, and everything about one."""

from __future__ import annotations

from typing import Annotated

import typer

from impbench.options import Json, Plugin, load_plugins


def list_(
    kind: Annotated[
        str | None,
        typer.Argument(help="A kind of thing, such as imputers or executors."),
    ] = None,
    as_json: Json = False,
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
