"""Explain commands in plain text: every word as it stands, every option under its section.

Typer's own way draws help with rich, which takes text in square brackets for markup and swallows
it, and costs as much time again as the rest of ``impbench --help``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

F = TypeVar("F", bound=Callable[..., Any])

WIDTH = 100
"""Columns that help takes at most."""


class Command(TyperCommand):
    """A command whose help shows its options section by section (``rich_help_panel``)."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options."""
        _write_parameters(self, ctx, formatter)


class Group(TyperGroup):
    """Commands under one name; each is shown with its whole first sentence."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write options, then commands."""
        _write_parameters(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        rows = [
            (name, command.get_short_help_str(limit=10 * WIDTH))
            for name, command in commands.items()
            if command is not None and not command.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class Commands(typer.Typer):
    """A `typer.Typer` whose commands explain themselves like this."""

    def __init__(self, *, cls: type[Group] = Group, **options: Any) -> None:
        options.setdefault("context_settings", {"max_content_width": WIDTH})
        super().__init__(
            cls=cls,
            no_args_is_help=True,
            rich_markup_mode=None,
            pretty_exceptions_enable=False,
            **options,
        )

    def command(self, name: str | None = None, **options: Any) -> Callable[[F], F]:
        """Add a command, as `typer.Typer.command` does."""
        options.setdefault("cls", Command)
        return super().command(name, **options)


def _write_parameters(command: Any, ctx: Any, formatter: Any) -> None:
    sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
    for parameter in command.get_params(ctx):
        section = getattr(parameter, "rich_help_panel", None) or (
            "Arguments" if parameter.param_type_name == "argument" else "Options"
        )
        if (row := parameter.get_help_record(ctx)) is not None:
            sections.setdefault(section, []).append(row)
    for title, rows in sections.items():
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)
