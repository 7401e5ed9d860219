"""``impbench data``: the catalogue of datasets, and where each lies."""

from __future__ import annotations

from typing import Annotated

import typer

from impbench.command_help import Commands
from impbench.options import DataDir, use_folder

data_app = Commands(help="Datasets: what there is and where it lies.")

_Name = Annotated[str, typer.Argument(help="A dataset of the catalogue.")]


@data_app.command("list")
def list_(data_dir: DataDir = None) -> None:
    """List the catalogue, and which datasets are at hand."""
    from impbench.listing import print_catalogue

    use_folder(data_dir)
    print_catalogue()


@data_app.command()
def info(name: _Name, data_dir: DataDir = None) -> None:
    """Show a dataset's card."""
    from impbench.listing import print_card

    use_folder(data_dir)
    print_card(name)


@data_app.command()
def fetch(name: _Name, data_dir: DataDir = None) -> None:
    """Download a dataset from its official source."""
    from impbench import terminal
    from impbench.data.catalogue import card_named
    from impbench.data.locate import fetch_files

    use_folder(data_dir)
    with terminal.download_bar(name) as progress:
        path = fetch_files(card_named(name), progress)
    typer.echo(path)


@data_app.command()
def path(name: _Name, data_dir: DataDir = None) -> None:
    """Print where a dataset's file lies."""
    from impbench.data.catalogue import card_named
    from impbench.data.locate import locate

    use_folder(data_dir)
    typer.echo(locate(card_named(name)))
