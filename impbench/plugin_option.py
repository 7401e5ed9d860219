"""The option ``--plugin`` of many commands: what it says, and what it does."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

Plugin = Annotated[
    list[Path] | None,
    typer.Option("--plugin", metavar="FILE", help="Python file or manifest; repeatable."),
]


def load_plugins(plugins: Iterable[Path] | None) -> None:
    """Add what these files bring to what can be named.

    Raises
    ------
    InputError
        If one is missing, fails on import or brings nothing.
    """
    if plugins:
        from impbench.registry import load_file

        for path in plugins:
            load_file(path)
