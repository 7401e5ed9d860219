"""The directive `command-line`: every command, argument and option of a Typer app, as they are.

It is written from the app itself, as `--help` is, so that the reference cannot fall behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import typer
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class CommandLine(SphinxDirective):
    """`{command-line} package.module:app` with the name of the program as its content."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return a section for each command."""
        module, _, name = self.arguments[0].partition(":")
        command = typer.main.get_command(getattr(import_module(module), name))
        text = "\n".join(_describe(command, self.content[0], None))
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def _describe(command: Any, name: str, parent: Any) -> Iterator[str]:
    """Write a command and those below it in MyST Markdown."""
    context = command.context_class(command, info_name=name.split()[-1], parent=parent)
    own = [parameter for parameter in command.get_params(context) if parameter.name != "help"]
    if parent is not None or own:
        yield from (f"## {name}", "", command.help or "", "")
        usage = " ".join([name, *command.collect_usage_pieces(context)])
        yield from ("```text", usage, "```", "", f"```{{program}} {name}", "```", "")
    for panel, parameters in _panels(own).items():
        if panel:
            yield from (f"**{panel}**", "")
        for parameter in parameters:
            yield from _entry(parameter, context)
    for below in command.list_commands(context) if hasattr(command, "commands") else ():
        yield from _describe(command.commands[below], f"{name} {below}", context)


def _panels(parameters: list[Any]) -> dict[str, list[Any]]:
    """Group as `--help` does: arguments, then options without a panel, then each panel."""
    panels: dict[str, list[Any]] = {"": []}
    for parameter in sorted(parameters, key=lambda one: one.param_type_name != "argument"):
        panels.setdefault(parameter.rich_help_panel or "", []).append(parameter)
    return panels


def _entry(parameter: Any, context: Any) -> Iterator[str]:
    record = parameter.get_help_record(context)
    if record is None:
        return
    signature, text = record
    # Outside of backticks, an option such as --out is no dash and a word.
    parts = re.split("(`[^`]*`)", text)
    parts[::2] = [re.sub(r"(?<!\w)--?[a-z][\w-]*", r"`\g<0>`", part) for part in parts[::2]]
    yield from (f":::{{option}} {signature}", "".join(parts), ":::", "")


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("command-line", CommandLine)
    return {"parallel_read_safe": True}
