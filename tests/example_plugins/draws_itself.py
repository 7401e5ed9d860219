"""A single-file plugin that brings an imputer, and a figure on which it would look good."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure

from impbench import Context, Imputed, Imputer, Observed, figure, hookimpl
from impbench.page_figure import PageFigure
from impbench.report.figures.scene import Scene


@dataclass(frozen=True)
class Vain(Imputer):
    name = "vain"
    summary = "Returns what it is given."
    input_scale = "lognorm"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        return Imputed(observed.lognorm, "lognorm")


@figure("praise", title="Praise", caption="How good it is.")
def praise(scene: Scene) -> Figure:
    """Whatever it likes."""
    return Figure(figsize=(3, 2))


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    return [Vain]


@hookimpl
def impbench_figures() -> list[PageFigure]:
    return [praise]
