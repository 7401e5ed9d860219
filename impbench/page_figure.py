"""Declare a figure of the report's page with a decorated function."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from impbench.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
Per = Literal["run", "protocol", "dataset", "question"]
"""What there is one drawing of; a question is a protocol asked of a dataset."""

SECTIONS: dict[str, tuple[Per, ...]] = {
    "purposes": ("run",),
    "batches": ("dataset",),
    "leaderboard": ("protocol",),
    "glance": ("run", "protocol", "dataset", "question"),
    "scaling": ("run", "protocol", "dataset", "question"),
    "time": ("run", "protocol", "dataset", "question"),
    "datasets": ("dataset", "question"),
    "statistics": ("protocol",),
    "further": ("run", "protocol", "dataset", "question"),
}
"""Sections of the page, and the drawings each has room for."""

_USUAL = {
    "run": "further",
    "protocol": "leaderboard",
    "dataset": "datasets",
    "question": "datasets",
}


@dataclass(frozen=True)
class PageFigure:
    """A figure of the page; made with `figure`, which says what the fields are."""

    name: str
    title: str
    caption: str | Callable[..., str]
    per: Per
    section: str
    draw: Callable[..., Figure | None]

    @property
    def summary(self) -> str:
        """First line of the function's docstring."""
        return (inspect.getdoc(self.draw) or "").partition("\n")[0]


def figure(
    name: str,
    *,
    title: str,
    caption: str | Callable[..., str],
    per: Per = "run",
    section: str = "",
) -> Callable[[Callable[..., Figure | None]], PageFigure]:
    """Declare a function that draws a scene as a figure of the page.

    The function takes an `impbench.report.figures.scene.Scene`. It returns a matplotlib Figure,
    laid out, or None where the scene has nothing to show. The label of the figure (``set_label``)
    describes it to those who cannot see it.

    Parameters
    ----------
    name
        Begins the name of its files: lower-case letters, digits and hyphens.
    title
        Stands in bold before the caption.
    caption
        What the reader sees and how to read it, or a function of the scene that says so.
    per
        One drawing of the whole run, of each protocol, dataset or question.
    section
        Of `SECTIONS`; by default, drawings of a protocol stand in its part of the leaderboard,
        those of a dataset or question under the dataset, and all others under "Further figures".

    Raises
    ------
    InputError
        If the name is no file name, or the section has no room for such a drawing.
    """
    section = section or _USUAL.get(per, "")
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise InputError(f"the figure {name!r} needs a name of lower-case letters, digits, hyphens")
    if per not in get_args(Per):
        raise InputError(f"figure {name}: per={per!r}; expected one of {', '.join(get_args(Per))}")
    if per not in SECTIONS.get(section, ()):
        fitting = [one for one, kinds in SECTIONS.items() if per in kinds]
        raise InputError(
            f"figure {name}: the section {section!r} has no drawing per {per}; expected one of "
            f"{', '.join(fitting)}"
        )

    def declare(draw: Callable[..., Figure | None]) -> PageFigure:
        return PageFigure(name, title, caption, per, section, draw)

    return declare


def declared_in(folder: Path) -> Iterator[tuple[str, str]]:
    """Read the name and summary of every figure that a folder's files declare; import none."""
    for path in sorted(folder.glob("*.py")):
        for function in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(function, ast.FunctionDef):
                continue
            for call in function.decorator_list:
                match call:
                    case ast.Call(func=ast.Name(id="figure"), args=[ast.Constant(str(name))]):
                        yield name, (ast.get_docstring(function) or "").partition("\n")[0]
