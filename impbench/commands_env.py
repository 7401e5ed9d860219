"""``impbench env``: environments of methods that ask for packages or a Python of their own."""

from __future__ import annotations

from typing import Annotated

import typer

from impbench.command_help import Commands
from impbench.plugin_option import Plugin, load_plugins

env_app = Commands(help="Environments of methods that ask for packages of their own.")


@env_app.command("list")
def list_() -> None:
    """List the finished environments, and what each was built for."""
    from impbench.environments import environments

    for found in environments.cached():
        megabytes = environments.size(found.folder) / 2**20
        wanted = ", ".join(found.requires)
        typer.echo(f"{found.key}  {found.interpreter}  {megabytes:5.0f} MiB  {wanted}")


@env_app.command()
def build(
    name: Annotated[str, typer.Argument(help="A method, such as dca-original.")],
    plugin: Plugin = None,
) -> None:
    """Build a method's environment ahead of a run, unless it is there; print its folder."""
    from impbench.environments.environments import build_all
    from impbench.environments.interpreters import BuildError
    from impbench.errors import UnavailableError
    from impbench.registry import registry

    load_plugins(plugin)
    imputer = type(registry().imputer(name))
    built = build_all([imputer], lambda text: typer.echo(f"building {text}", err=True))
    if imputer not in built:
        typer.echo(f"{name} needs no environment of its own")
        return
    environment = built[imputer]
    if isinstance(environment, BuildError):
        typer.echo(environment.log, err=True)
        raise UnavailableError(f"{name}: {environment}")
    typer.echo(environment.folder)


@env_app.command()
def clean() -> None:
    """Delete every environment; the next run builds anew what it needs."""
    from impbench.environments import environments

    typer.echo(f"freed {environments.clean() / 2**20:.0f} MiB")
