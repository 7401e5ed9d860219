"""The command `index`: a page over many runs, to be put on any static host."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from impbench.command_help import Commands


def mount(app: Commands) -> None:
    """Add the command to the command line."""
    app.command()(index)


def index(
    folder: Annotated[Path, typer.Argument(help="Folder above those of finished runs.")],
) -> None:
    """Write an index.html over all runs below a folder: pages, files, and how to cite them."""
    from impbench.report import write_index

    typer.echo(write_index(folder))
