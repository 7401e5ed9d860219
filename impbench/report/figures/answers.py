"""One figure per question, as its paper would draw it: the score along a parameter, or over data.

Where a run asks one protocol with several values of one numeric parameter (the share of masked
entries, say), its lead metric is drawn along that parameter. Otherwise every metric has a panel in
which an imputer has a row, and every dataset a point.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from impbench.report.analysis.run import Run
from impbench.report.analysis.tables import order
from impbench.report.figures.drawing import WIDTH, Drawing, blank, panel, save
from impbench.report.figures.palette import FAINT, INK, SOFT, Look
from impbench.report.text import counted, shorten

MAX_DATASETS = 6
MAX_METRICS = 4
ROW = 0.19
LABELS = 1.95
LEGEND = 2.3
PANEL = 2.0


@dataclass(frozen=True)
class Sweep:
    """One protocol asked with several values of one numeric parameter."""

    parameter: str
    values: dict[str, float]
    """By protocol spec, ascending."""


def sweep_of(run: Run, specs: list[str]) -> Sweep | None:
    """Return along which parameter `specs`, all of one protocol, differ; None unless it is one."""
    params = {spec: run.about_protocol(spec).params for spec in specs}
    names = dict.fromkeys(name for values in params.values() for name in values)
    varied = [name for name in names if len({str(p.get(name)) for p in params.values()}) > 1]
    if len(varied) != 1:
        return None
    values = {spec: params[spec].get(varied[0]) for spec in specs}
    numbers = {
        spec: float(value)
        for spec, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    if len(numbers) < len(specs):
        return None
    return Sweep(varied[0], dict(sorted(numbers.items(), key=lambda item: item[1])))


def draw_answers(
    run: Run,
    summary: pd.DataFrame,
    looks: dict[str, Look],
    specs: list[str],
    folder: Path,
    name: str,
) -> Drawing | None:
    """Draw the answers to the protocol that `specs` pose; None where one dataset's bars say it."""
    sweep = sweep_of(run, specs) if len(specs) > 1 else None
    if sweep is not None:
        return _draw_sweep(run, summary, looks, sweep, folder, name)
    return _draw_dots(run, summary, looks, specs[0], folder, name)


def _draw_sweep(
    run: Run,
    summary: pd.DataFrame,
    looks: dict[str, Look],
    sweep: Sweep,
    folder: Path,
    name: str,
) -> Drawing | None:
    first = next(iter(sweep.values))
    metrics = [m for m in run.metrics_of(first) if not run.metrics[m].is_cost][:3]
    ranked = ~summary["imputer"].map(run.sees_truth)
    asked = summary[summary["protocol"].isin(list(sweep.values)) & ranked]
    asked = asked.assign(at=asked["protocol"].map(sweep.values)).dropna(subset=["mean"])
    datasets = [item for item in run.datasets if item in set(asked["dataset"])][:MAX_DATASETS]
    names = [item for item in order(run, summary, first) if item in set(asked["imputer"])]
    names.sort(key=lambda item: run.imputers[item].is_control)
    if not datasets or not metrics:
        return None
    width = (WIDTH - LEGEND) / max(len(metrics), 2)
    height = max(0.3 + len(datasets) * (PANEL + 0.75), 0.4 + 0.2 * len(names))
    figure = blank(0.35 + width * len(metrics) + LEGEND, height)
    for row, dataset in enumerate(datasets):
        for column, metric in enumerate(metrics):
            top, left = 0.3 + row * (PANEL + 0.75), 0.6 + column * width
            axes = panel(figure, left, top, width - 0.75, PANEL)
            here = asked[(asked["dataset"] == dataset) & (asked["metric"] == metric)]
            _lines(axes, here, names, looks)
            fact = run.metrics[metric]
            unit = f" ({fact.unit})" if fact.unit else ""
            axes.set_title(f"{fact.title}{unit}: {shorten(run.datasets[dataset].title, 24)}")
            axes.set_xlabel(sweep.parameter)
            axes.set_xticks(list(sweep.values.values()))
    handles = [
        Line2D([], [], marker=looks[item].marker, color=looks[item].colour, markersize=5)
        for item in names
    ]
    figure.legend(
        handles,
        [looks[item].label for item in names],
        loc="upper left",
        bbox_to_anchor=(1 - LEGEND / figure.get_size_inches()[0], 1),
        labelspacing=0.45,
    )
    alt = f"{', '.join(run.metrics[m].title for m in metrics)} along {sweep.parameter}"
    return save(figure, folder, name, alt)


def _lines(axes: Axes, rows: pd.DataFrame, names: list[str], looks: dict[str, Look]) -> None:
    for name in names:
        mine = rows[rows["imputer"] == name].sort_values("at")
        look = looks[name]
        axes.errorbar(
            mine["at"],
            mine["mean"],
            yerr=mine["sd"].fillna(0),
            color=look.colour,
            marker=look.marker,
            markersize=4.5,
            linewidth=0.8 if look.is_control else 1.4,
            linestyle=":" if look.is_control else "-",
            elinewidth=0.8,
            zorder=2 if look.is_control else 3,
        )
    axes.grid(color=FAINT)
    axes.tick_params(colors=SOFT, labelcolor=INK)


def _draw_dots(
    run: Run, summary: pd.DataFrame, looks: dict[str, Look], spec: str, folder: Path, name: str
) -> Drawing | None:
    metrics = [m for m in run.metrics_of(spec) if not run.metrics[m].is_cost][:MAX_METRICS]
    rows = summary[(summary["protocol"] == spec) & summary["counted"].notna()]
    datasets = [item for item in run.datasets if item in set(rows["dataset"])]
    if len(datasets) < 2 or not metrics:
        return None
    names = [item for item in order(run, summary, spec) if item in set(rows["imputer"])]
    names.sort(key=lambda item: run.imputers[item].is_control)
    n_methods = sum(not run.imputers[item].is_control for item in names)
    width = (WIDTH - LABELS) / max(len(metrics), 2)
    height = ROW * len(names)
    figure = blank(LABELS + width * len(metrics), height + 0.85)
    for column, metric in enumerate(metrics):
        axes = panel(figure, LABELS + column * width, 0.35, width - 0.3, height)
        here = rows[rows["metric"] == metric]
        for y, imputer in enumerate(names):
            mine = here[here["imputer"] == imputer]
            values = mine["mean"].dropna()
            look = looks[imputer]
            axes.plot(values, [y] * len(values), look.marker, c=look.colour, ms=4, alpha=0.6)
            if len(values):
                axes.vlines(mine["counted"].median(), y - 0.38, y + 0.38, color=INK, linewidth=1.6)
        if 0 < n_methods < len(names):
            axes.axhline(n_methods - 0.5, color=SOFT, linewidth=0.8)
        axes.set(ylim=(len(names) - 0.4, -0.6), yticks=range(len(names)))
        axes.set_yticklabels([looks[item].label for item in names] if column == 0 else [])
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=FAINT)
        fact = run.metrics[metric]
        axes.set_title(shorten(fact.title, 26))
        arrow = {1: "lower is better", -1: "higher is better", 0: ""}[fact.direction]
        axes.set_xlabel(", ".join(filter(None, [fact.unit, arrow])), color=SOFT)
    alt = f"{counted(len(metrics), 'score')} of {len(names)} imputers on each dataset"
    return save(figure, folder, name, alt)
