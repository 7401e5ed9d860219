"""Accuracy against time: what a method's score costs, with the best bargains named."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from impbench.report.analysis.run import ORACLE, Run
from impbench.report.analysis.tables import order
from impbench.report.figures.drawing import WIDTH, Drawing, blank, panel, save
from impbench.report.figures.marks import KEY_ROW, add_key, add_marks
from impbench.report.figures.palette import FAINT, INK, ORACLE_COLOUR, SOFT, Look
from impbench.report.numbers import number
from impbench.report.text import shorten

TIME = "wall-seconds"
COLUMNS = 3
PANEL_HEIGHT = 2.1
MAX_PANELS = 12


def draw_tradeoff(
    run: Run, summary: pd.DataFrame, looks: dict[str, Look], protocol: str, folder: Path, name: str
) -> Drawing | None:
    """Draw the lead metric of `protocol` against wall time, one panel per dataset.

    At most `MAX_PANELS` datasets, the first of the plan. None where times or scores are missing.
    """
    metric = run.lead_metric(protocol)
    if metric is None:
        return None
    asked = summary[(summary["protocol"] == protocol) & ~summary["imputer"].map(run.sees_truth)]
    wide = asked[asked["metric"].isin([metric, TIME])].pivot(
        index=["dataset", "imputer", "n_failed"], columns="metric", values="mean"
    )
    if TIME not in wide or metric not in wide:
        return None
    points = wide[(wide[TIME] > 0) & wide[metric].notna()].reset_index()
    datasets = [item for item in run.datasets if item in set(points["dataset"])][:MAX_PANELS]
    if not datasets:
        return None
    names = [item for item in order(run, summary, protocol) if item in set(points["imputer"])]
    names.sort(key=lambda item: run.imputers[item].is_control)
    n_columns = min(COLUMNS, len(datasets))
    n_rows = math.ceil(len(datasets) / n_columns)
    legend = 2.3
    legend_height = 0.2 + KEY_ROW * len(names)
    width = min(3.6, (WIDTH - legend - 0.75) / n_columns)
    step = PANEL_HEIGHT + 0.78
    figure = blank(0.75 + width * n_columns + legend, max(n_rows * step, legend_height) + 0.05)
    limits = points[TIME].min() / 1.8, points[TIME].max() * 1.8
    for i, dataset in enumerate(datasets):
        row, column = divmod(i, n_columns)
        axes = panel(figure, 0.75 + column * width, row * step + 0.28, width - 0.55, PANEL_HEIGHT)
        here = points[points["dataset"] == dataset]
        _panel(axes, here.rename(columns={TIME: "time", metric: "score"}), run, looks, metric)
        bound = summary[
            (summary["dataset"] == dataset)
            & (summary["protocol"] == protocol)
            & (summary["metric"] == metric)
            & (summary["imputer"] == ORACLE)
        ]["mean"]
        if len(bound) and math.isfinite(bound.iloc[0]):
            axes.axhline(bound.iloc[0], color=ORACLE_COLOUR, linewidth=1)
        axes.set_xlim(*limits)
        axes.set_title(shorten(run.datasets[dataset].title, int(width * 10)))
        axes.set_ylabel(run.metrics[metric].title if column == 0 else "")
        axes.set_xlabel("seconds per imputation")
    left = figure.get_size_inches()[0] - legend - 0.2
    add_key(figure, left, [looks[item] for item in names], [looks[item].label for item in names])
    alt = f"{run.metrics[metric].title} against seconds per imputation, protocol {protocol}"
    return save(figure, folder, name, alt)


def _panel(axes: Axes, points: pd.DataFrame, run: Run, looks: dict[str, Look], metric: str) -> None:
    styles = [looks[name] for name in points["imputer"]]
    axes.set_xscale("log")
    add_marks(axes, points["time"], points["score"], styles, 6.5, edge=0.5)
    front = points.iloc[_front(points, run.metrics[metric].direction)].sort_values("time")
    axes.plot(front["time"], front["score"], color=SOFT, linewidth=0.8, zorder=2, dashes=(2, 2))
    axes.minorticks_off()
    axes.xaxis.set_major_formatter(lambda value, _: number(value, 1))
    axes.grid(color=FAINT)
    axes.margins(y=0.12)
    axes.tick_params(colors=SOFT, labelcolor=INK)


def _front(points: pd.DataFrame, direction: int) -> list[int]:
    """Rows that no other row beats in both time and score; none that failed with a seed."""
    points = points.assign(score=points["score"].where(points["n_failed"] == 0))
    times, losses = points["time"].to_numpy(), points["score"].to_numpy() * direction
    return [
        i
        for i in range(len(points))
        if losses[i] == losses[i]
        and not np.any(
            (times <= times[i])
            & (losses <= losses[i])
            & ((times < times[i]) | (losses < losses[i]))
        )
    ]
