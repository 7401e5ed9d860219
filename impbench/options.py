"""Options that several commands have, each declared once, and how to declare one in a line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer


def option(help: str, *flags: str, panel: str | None = None, **more: Any) -> Any:
    """Return an option as `typer.Option` does, shown in the section `panel` of a command's help."""
    return typer.Option(*flags, help=help, rich_help_panel=panel, **more)


LIMITS = "Limits"

Suite = Annotated[str, option("Name of a suite, or a TOML file.")]
Jobs = Annotated[
    int | None,
    option("Workers at once.", "--jobs", "-j", panel=LIMITS, min=1, show_default="cores"),
]
Threads = Annotated[
    int | None, option("Threads per worker.", panel=LIMITS, min=1, show_default="cores / workers")
]
Timeout = Annotated[
    str | None,
    option(
        "Per job, such as 90s, 20m, 2h or none.",
        panel=LIMITS,
        show_default="the suite's, or 1h",
    ),
]
Memory = Annotated[
    str | None,
    option("Per worker, such as 4GB.", panel=LIMITS, show_default="90 % shared evenly"),
]
Device = Annotated[str, option("cpu, cuda, cuda:N or auto.")]
DataDir = Annotated[Path | None, option("Folder with datasets (also: IMPBENCH_DATA).")]
Plugin = Annotated[
    list[Path] | None, option("Python file or manifest; repeatable.", "--plugin", metavar="FILE")
]
Report = Annotated[bool, option("Write the page, or the scores alone.", "--report/--no-report")]
Png = Annotated[bool, option("Figures as PNG too, beside SVG.", "--png")]
Json = Annotated[bool, option("Print as JSON.", "--json")]
Quiet = Annotated[bool, option("Print nothing but errors.", "--quiet", "-q")]


def load_plugins(plugins: Iterable[Path] | None) -> None:
    """Add what these files bring to what can be named; errors as `load_file`."""
    if plugins:
        from impbench.registry import load_file

        for path in plugins:
            load_file(path)


def use_folder(data_dir: Path | None) -> None:
    """Look for datasets in this folder, if one is given."""
    if data_dir is not None:
        from impbench.data.locate import set_data_folder

        set_data_folder(data_dir)
