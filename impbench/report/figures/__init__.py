"""impbench's own figures of the page: every file here may declare some, and none is listed.

They are a plugin of their own, which only the report imports: matplotlib takes its time.
"""

from __future__ import annotations

import importlib
import pkgutil

from impbench.hookspecs import hookimpl
from impbench.page_figure import PageFigure


@hookimpl
def impbench_figures() -> list[PageFigure]:
    """Every `PageFigure` defined in a file of this folder."""
    names = [f"{__name__}.{info.name}" for info in pkgutil.iter_modules(__path__)]
    return [
        item
        for module in map(importlib.import_module, names)
        for item in vars(module).values()
        # A file may import another's figure to build on it.
        if isinstance(item, PageFigure) and item.draw.__module__ == module.__name__
    ]
