"""Time and memory against the number of cells, both logarithmic, where a run has several sizes.

Sizes are those of one dataset source asked for with different numbers of cells, as in the suite
runtime-scaling. The growth of an imputer is the slope of a straight line through its points, by
least squares on the logarithms: 1 is linear, 2 quadratic. Where an imputer gave no result it hit
its limit, and a cross at the upper edge says at how many cells and why.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from impbench.page_figure import figure
from impbench.report.analysis.run import Run
from impbench.report.figures.drawing import WIDTH, blank, name_looks, panel
from impbench.report.figures.palette import Look
from impbench.report.figures.scene import Scene
from impbench.report.numbers import fixed, number

Values = NDArray[np.float64]

MIN_SIZES = 3
COSTS = {"wall-seconds": "seconds per imputation", "peak-memory": "peak memory, MiB"}
PANEL = 3.3
LEGEND = 3.0


@dataclass(frozen=True)
class Growth:
    """How one imputer grows: exponents of time and memory, NaN below three sizes; its limit."""

    imputer: str
    time: float
    memory: float
    limit: str


def sizes_of(run: Run) -> dict[str, dict[str, int]]:
    """Return, for each source asked for in `MIN_SIZES` sizes or more, its datasets' cells."""
    found: dict[str, dict[str, int]] = {}
    for name, facts in run.datasets.items():
        if facts.n_cells:
            found.setdefault(name.partition("[")[0], {})[name] = facts.n_cells
    return {
        source: dict(sorted(cells.items(), key=lambda item: item[1]))
        for source, cells in found.items()
        if len(set(cells.values())) >= MIN_SIZES
    }


def growth_of(run: Run, summary: pd.DataFrame, cells: dict[str, int]) -> list[Growth]:
    """Fit the growth of every imputer that does not see the truth over the datasets in `cells`."""
    found = []
    for imputer in run.imputers:
        if run.sees_truth(imputer):
            continue
        time, memory = (_exponent(_points(summary, imputer, cost, cells)) for cost in COSTS)
        found.append(Growth(imputer, time, memory, _limit(summary, imputer, cells)))
    return found


@figure(
    "scaling",
    title="Time and memory by size",
    caption="Both axes logarithmic. In the legend: the exponents of time and of memory, fitted by "
    "least squares on the logarithms (1 is linear, 2 quadratic); memory counts the whole process, "
    "libraries included, so its exponent is low while data are small. A cross at the upper edge is "
    "the smallest number of cells at which an imputer gave no result. Dotted: controls.",
    section="scaling",
)
def scaling(scene: Scene) -> Figure | None:
    """Time and memory of every imputer over the sizes of a dataset, a row per source of data."""
    summary, looks = scene.summary, scene.looks
    timed = summary[summary["metric"].isin(list(COSTS)) & (summary["mean"] > 0)]
    sources = {
        source: cells
        for source, cells in sizes_of(scene.run).items()
        if timed["dataset"].isin(list(cells)).any()
    }
    if not sources:
        return None
    n_rows = sum(not scene.run.sees_truth(imputer) for imputer in scene.run.imputers)
    width, height = (WIDTH - LEGEND) / 2, max(PANEL + 0.75, 0.5 + 0.19 * n_rows)
    drawn = blank(WIDTH, height * len(sources))
    for row, (source, cells) in enumerate(sources.items()):
        growths = growth_of(scene.run, summary, cells)
        top = row * height
        for column, (metric, label) in enumerate(COSTS.items()):
            axes = panel(drawn, 0.6 + column * width, top + 0.3, width - 0.75, PANEL)
            for item in growths:
                look = looks[item.imputer]
                points = _points(summary, item.imputer, metric, cells)
                axes.plot(*points.T, marker=look.marker, markersize=4.5, **look.line)
            axes.set(xscale="log", yscale="log", xlabel="cells", ylabel=label)
            axes.minorticks_off()
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}".replace(",", " "))
            axes.yaxis.set_major_formatter(lambda value, _: number(value, 1))
            axes.grid()
            axes.set_title(source if column == 0 else "")
            _crosses(axes, growths, looks)
        entries = {_entry(item, looks): looks[item.imputer] for item in growths}
        name_looks(drawn, entries, LEGEND, top, title="growth of time, memory")
    drawn.set_label(f"Seconds and memory of {n_rows} imputers against the number of cells")
    return drawn


def _points(summary: pd.DataFrame, imputer: str, metric: str, cells: dict[str, int]) -> Values:
    """Cells and cost, one row per size that gave a result; protocols share an imputation."""
    rows = summary[(summary["imputer"] == imputer) & (summary["metric"] == metric)]
    rows = rows[rows["dataset"].isin(list(cells)) & (rows["mean"] > 0)].drop_duplicates("dataset")
    points = np.column_stack([rows["dataset"].map(cells), rows["mean"]]).astype(np.float64)
    return points[points[:, 0].argsort()]


def _exponent(points: Values) -> float:
    if len(points) < MIN_SIZES:
        return math.nan
    log_cells, log_cost = np.log(points).T
    return float(np.polyfit(log_cells, log_cost, 1)[0])


def _limit(summary: pd.DataFrame, imputer: str, cells: dict[str, int]) -> str:
    """Return ``timeout at 50000``, the smallest size without a result, or nothing."""
    rows = summary[(summary["imputer"] == imputer) & summary["dataset"].isin(list(cells))]
    failed = rows[(rows["n_scored"] == 0) & (rows["status"] != "ok")].drop_duplicates("dataset")
    if failed.empty:
        return ""
    first = min(failed.itertuples(), key=lambda row: cells[str(row.dataset)])
    return f"{first.status} at {cells[str(first.dataset)]}"


def _crosses(axes: Axes, growths: list[Growth], looks: Mapping[str, Look]) -> None:
    """Mark, at the upper edge, where imputers hit their limits."""
    for place, item in enumerate(item for item in growths if item.limit):
        at = int(item.limit.rpartition(" ")[2])
        axes.plot(
            at,
            0.98 - 0.05 * place,
            marker="x",
            color=looks[item.imputer].colour,
            markersize=6,
            markeredgewidth=1.8,
            transform=axes.get_xaxis_transform(),
            clip_on=False,
        )


def _entry(item: Growth, looks: Mapping[str, Look]) -> str:
    exponents = [fixed(value, 2) for value in (item.time, item.memory)]
    text = f"{looks[item.imputer].label}: {', '.join(exponents)}"
    return f"{text}, × {item.limit}" if item.limit else text
