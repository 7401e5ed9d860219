"""A command: `impbench far-greet`."""

from __future__ import annotations

import typer

greet_app = typer.Typer(name="far-greet", help="Greet from far away.")


@greet_app.command()
def greet(whom: str = "you") -> None:
    """Greet somebody."""
    typer.echo(f"greetings from far away, {whom}")
