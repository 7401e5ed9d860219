"""Bars of every score on one dataset: methods above, controls apart below, the bounds as lines."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from impbench.report.drawing import WIDTH, Drawing, blank, panel, save
from impbench.report.palette import INK, ORACLE_COLOUR, SOFT, Look
from impbench.report.run import ORACLE, MetricFacts, Run
from impbench.report.tables import order
from impbench.report.text import shorten

ROW = 0.2
COLUMNS = 5
LABELS = 1.95
GAP = 0.8
"""Rows left free between methods and controls."""

CONTROL_LINE = "#b45309"


def draw_bars(
    run: Run,
    summary: pd.DataFrame,
    looks: dict[str, Look],
    dataset: str,
    protocol: str,
    folder: Path,
    name: str,
) -> Drawing | None:
    """Draw one panel per metric of a protocol on a dataset; None where nothing was scored."""
    asked = (summary["dataset"] == dataset) & (summary["protocol"] == protocol)
    rows = summary[asked]
    metrics = [
        metric
        for metric in run.metrics_of(protocol)
        if rows.loc[rows["metric"] == metric, "n_scored"].any() and metric != "cpu-seconds"
    ]
    if not metrics:
        return None
    names = [name for name in order(run, summary, protocol) if name in set(rows["imputer"])]
    methods = [name for name in names if not run.imputers[name].is_control]
    controls = [name for name in names if run.imputers[name].is_control]
    places = {name: float(i) for i, name in enumerate(methods)}
    start = len(methods) + GAP if methods else 0.0
    places |= {name: start + i for i, name in enumerate(controls)}
    n_columns = min(COLUMNS, len(metrics))
    n_rows = math.ceil(len(metrics) / n_columns)
    body = ROW * (max(places.values()) + 1)
    width = (WIDTH - LABELS - 0.15) / COLUMNS
    step = 0.32 + body + 0.42
    figure = blank(LABELS + 0.15 + width * n_columns, n_rows * step + 0.24)
    for i, metric in enumerate(metrics):
        row, column = divmod(i, n_columns)
        axes = panel(figure, LABELS + column * width, row * step + 0.32, width - 0.2, body)
        cells = rows[rows["metric"] == metric].set_index("imputer").loc[names]
        _panel(axes, cells, run.metrics[metric], looks, places)
        if column == 0:
            labels = [shorten(name, 30) for name in places]
            axes.set_yticks(list(places.values()), labels)
            for label, imputer in zip(axes.get_yticklabels(), places, strict=True):
                label.set_color(SOFT if run.imputers[imputer].is_control else INK)
        else:
            axes.set_yticks([])
    _legend(figure, ORACLE in places)
    title = run.datasets[dataset].title
    alt = f"Bars of {len(metrics)} scores of {len(names)} imputers on {title}, protocol {protocol}"
    return save(figure, folder, name, alt)


def _panel(
    axes: Axes,
    cells: pd.DataFrame,
    fact: MetricFacts,
    looks: dict[str, Look],
    places: dict[str, float],
) -> None:
    imputers = [name for name in places if math.isfinite(cells.at[name, "mean"])]
    heights = np.array([cells.at[name, "mean"] for name in imputers])
    y = np.array([places[name] for name in imputers])
    logarithmic = fact.unit == "s" and len(heights) > 0 and heights.min() > 0
    if logarithmic:
        # A bar needs a zero to stand on, and a logarithmic axis has none.
        for name, x, place in zip(imputers, heights, y, strict=True):
            colour = SOFT if looks[name].is_control else looks[name].colour
            axes.plot(x, place, looks[name].marker, color=colour, markersize=5)
    else:
        colours = [looks[name].colour for name in imputers]
        bars = axes.barh(y, heights, height=0.72, color=colours)
        for bar, name in zip(bars, imputers, strict=True):
            if looks[name].is_control and name != ORACLE:
                bar.set(facecolor="#dcdfe4", edgecolor=SOFT, linewidth=0.5)
    errors = cells.loc[imputers, "sd"].to_numpy(float)
    shown = np.isfinite(errors) & (errors > 0)
    if shown.any():
        axes.errorbar(
            heights[shown],
            y[shown],
            xerr=errors[shown],
            fmt="none",
            ecolor=INK,
            elinewidth=0.8,
            capsize=1.6,
            capthick=0.8,
        )
    if logarithmic:
        axes.set_xscale("log")
        low, high = heights.min(), heights.max()
        axes.set_xlim(low / 2, high * 1.6)
        axes.minorticks_off()
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    for imputer, place in places.items():
        if imputer not in imputers:
            axes.text(
                0.015,
                place,
                _why(cells.loc[imputer]),
                transform=axes.get_yaxis_transform(),
                va="center",
                fontsize=7,
                color="#b42318",
            )
    _bounds(axes, cells, fact)
    axes.set_ylim(max(places.values()) + 0.6, -0.6)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    if not logarithmic:
        axes.locator_params(axis="x", nbins=4)
        axes.axvline(0, color=SOFT, linewidth=0.6)
    axes.grid(axis="x")
    arrow = {1: "lower is better", -1: "higher is better", 0: "direction unknown"}[fact.direction]
    unit = f" ({fact.unit})" if fact.unit else ""
    axes.set_title(shorten(f"{fact.title}{unit}", 24), pad=11)
    axes.text(0, 1, arrow, transform=axes.transAxes, fontsize=6.8, color=SOFT, va="bottom")


def _bounds(axes: Axes, cells: pd.DataFrame, fact: MetricFacts) -> None:
    if fact.is_cost or not fact.direction:
        return
    control = cells["control"].iloc[0]
    if isinstance(control, str) and control in cells.index:
        axes.axvline(cells.at[control, "mean"], color=CONTROL_LINE, linewidth=1, linestyle="--")
    if ORACLE in cells.index and math.isfinite(cells.at[ORACLE, "mean"]):
        axes.axvline(cells.at[ORACLE, "mean"], color=ORACLE_COLOUR, linewidth=1.2)


def _legend(figure: Figure, has_oracle: bool) -> None:
    entries = {
        "best control": Line2D([], [], color=CONTROL_LINE, linewidth=1, linestyle="--"),
        "oracle: the truth itself": Line2D([], [], color=ORACLE_COLOUR, linewidth=1.2),
        "control": Patch(facecolor="#dcdfe4", edgecolor=SOFT, linewidth=0.5),
        "± 1 sd over seeds": Line2D([], [], color=INK, marker="|", linewidth=0.8, markersize=5),
    }
    if not has_oracle:
        del entries["oracle: the truth itself"]
    figure.legend(
        list(entries.values()),
        list(entries),
        loc="lower left",
        bbox_to_anchor=(0, 0),
        ncols=len(entries),
        fontsize=7.5,
        borderaxespad=0.1,
        handlelength=1.6,
    )


def _why(cell: pd.Series) -> str:
    return "undefined" if cell["status"] == "ok" else str(cell["status"])
