"""Bars of every score on one dataset: methods above, controls apart below, the bounds as lines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from impbench.page_figure import figure
from impbench.report.analysis.purposes import TIME
from impbench.report.analysis.run import ATTAINABLE, MANY, ORACLE, Run
from impbench.report.analysis.shown_metric import ShownMetric
from impbench.report.figures.drawing import WIDTH, blank, name_rows, panel, scatter
from impbench.report.figures.palette import ATTAINABLE_COLOUR, INK, ORACLE_COLOUR, SOFT, Look
from impbench.report.figures.scene import Scene
from impbench.report.text import counted, listed, shorten
from impbench.truth_control import TRUTH_CONTROLS

MAX_DATASETS = 12
"""Datasets whose scores are drawn as bars; the tables hold all."""

MAX_BARS = 3000
"""Bars of a page, by whole datasets: one that does not open helps nobody."""

ROW = 0.2
COLUMNS = 5
LABELS = 1.95
SPAN = 0.87
GAP = 0.8
"""Rows left free between methods and controls."""

CONTROL_LINE = "#b45309"
CONTROL_FILL = "#d3d8df"
FAILED = "#b42318"
BOUNDS = {
    ATTAINABLE: (ATTAINABLE_COLOUR, "attainable: best constants"),
    ORACLE: (ORACLE_COLOUR, "oracle: the truth itself"),
}
"""Controls drawn as lines: colour, and what the legend says."""


def _caption(scene: Scene) -> str:
    run = scene.run
    seeing = [name for name in run.imputers if run.sees_truth(name)]
    spread = (
        ", whiskers ± one standard deviation"
        if run.n_seeds > 1
        else " (one seed, so there is no standard deviation)"
    )
    lines = f" Solid lines, where there are any: {listed(seeing)}, which see the truth."
    return (
        f"Scores of {run.datasets[scene.dataset].title}, mean over seeds{spread}. Dashed: best "
        f"control.{lines if seeing else ''}"
    )


@figure("bars", title="Scores", caption=_caption, per="question")
def bars(scene: Scene) -> Figure | None:
    """Every score of a protocol on a dataset, a panel per metric, a bar per imputer."""
    run, rows = scene.run, scene.rows
    drawn_for = _drawn_for(run)
    if scene.dataset not in drawn_for:
        scene.leave_out(f"bars are drawn for the first {counted(len(drawn_for), 'dataset')}")
        return None
    scored = set(rows.loc[rows["n_scored"] > 0, "metric"])
    metrics = [name for name in _metrics(run, scene.protocol) if name in scored]
    if run.has_many_imputers:
        scene.leave_out(f"bars of more than {MANY} imputers show the leading score and the time")
    if not metrics:
        return None
    places = _places(scene, set(rows["imputer"]))
    body = ROW * (max(places.values()) + 1)
    step = 0.32 + body + 0.42
    width = (WIDTH - LABELS - 0.15) / COLUMNS
    n_rows = math.ceil(len(metrics) / COLUMNS)
    # The legend below needs the room of four panels.
    n_wide = max(4, min(COLUMNS, len(metrics)))
    drawn = blank(LABELS + 0.15 + width * n_wide, n_rows * step + 0.24)
    cells: dict[str, dict[str, Any]] = {}
    for cell in rows.itertuples():
        cells.setdefault(str(cell.metric), {})[str(cell.imputer)] = cell
    for i, metric in enumerate(metrics):
        row, column = divmod(i, COLUMNS)
        axes = panel(drawn, LABELS + column * width, row * step + 0.32, SPAN * width, body)
        _panel(axes, cells[metric], run.metrics[metric], scene.looks, places)
        if column == 0:
            name_rows(axes, map(scene.looks.__getitem__, places), places.values())
    _legend(drawn, [name for name in BOUNDS if name in places])
    title = run.datasets[scene.dataset].title
    drawn.set_label(
        f"Bars of {len(metrics)} scores of {len(places)} imputers on {title}, protocol "
        f"{scene.protocol}"
    )
    return drawn


def _metrics(run: Run, protocol: str) -> list[str]:
    """What may have a panel; of many imputers, the leading score and the time."""
    names = [name for name in run.metrics_of(protocol) if name != "cpu-seconds"]
    few = (run.lead_metric(protocol), TIME)
    return [name for name in names if name in few] if run.has_many_imputers else names


def _drawn_for(run: Run) -> list[str]:
    """The first datasets, as many as `MAX_DATASETS` and `MAX_BARS` let."""
    panels = {protocol: len(_metrics(run, protocol)) for protocol in run.protocols}
    found: list[str] = []
    n_bars = 0
    for name in list(run.datasets)[:MAX_DATASETS]:
        asked = [protocol for dataset, protocol in run.problems if dataset == name]
        n_bars += len(run.imputers) * sum(panels[protocol] for protocol in asked)
        if n_bars > MAX_BARS and found:
            break
        found.append(name)
    return found


def _places(scene: Scene, present: set[str]) -> dict[str, float]:
    """Heights of the rows, from the top: methods, a gap, controls."""
    names = [name for name in scene.ordered if name in present]
    methods = [name for name in names if not scene.run.imputers[name].is_control]
    start = len(methods) + GAP if methods else 0.0
    places = {name: float(i) for i, name in enumerate(methods)}
    controls = [name for name in names if name not in places]
    return places | {name: start + i for i, name in enumerate(controls)}


def _panel(
    axes: Axes,
    cells: Mapping[str, Any],
    fact: ShownMetric,
    looks: Mapping[str, Look],
    places: Mapping[str, float],
) -> None:
    """Draw one metric; `cells` has its rows of the summary, by imputer."""
    names = [name for name in places if math.isfinite(cells[name].mean)]
    means = np.array([cells[name].mean for name in names])
    sds = np.nan_to_num(np.array([cells[name].sd for name in names]))
    y = [places[name] for name in names]
    low, high = float((means - sds).min()), float((means + sds).max())
    if fact.unit == "s" and means.min() > 0:
        # A bar needs a zero to stand on, and a logarithmic axis has none.
        axes.set(xscale="log", xlim=(means.min() / 2, high * 1.3))
        axes.minorticks_off()
        shown = [looks[name] for name in names]
        shown = [replace(look, colour=SOFT) if look.is_control else look for look in shown]
        scatter(axes, means, y, shown, s=6.5**2, linewidths=0)
    else:
        low, high = min(0.0, low), max(0.0, high)
        axes.set_xlim(low, high if high > low else low + 1)
        axes.locator_params(axis="x", nbins=4)
        fills = [
            CONTROL_FILL
            if looks[name].is_control and name not in TRUTH_CONTROLS
            else looks[name].colour
            for name in names
        ]
        axes.hlines(y, 0, means, colors=fills, linewidth=0.72 * ROW * 72)
    axes.errorbar(means[sds > 0], np.array(y)[sds > 0], xerr=sds[sds > 0], fmt="none", ecolor=INK)
    for name, place in places.items():
        # Nobody imputes for those that see the truth, so there is nothing to time.
        if name not in names and not (name in TRUTH_CONTROLS and fact.is_cost):
            text = "undefined" if cells[name].status == "ok" else cells[name].status
            at = axes.get_yaxis_transform()
            axes.text(0.02, place, text, color=FAILED, va="center", fontsize=7, transform=at)
    if not fact.is_cost and fact.direction:
        # A bound may lie on the panel's edge.
        top: dict[str, Any] = {"clip_on": False, "zorder": 5}
        control = next(iter(cells.values())).control
        if control in cells:
            axes.axvline(
                cells[control].mean, color=CONTROL_LINE, linewidth=1, linestyle="--", **top
            )
        for name, (colour, _) in BOUNDS.items():
            if name in cells and math.isfinite(cells[name].mean):
                axes.axvline(cells[name].mean, color=colour, linewidth=1.2, **top)
    axes.set(ylim=(max(places.values()) + 0.6, -0.6), yticks=[])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.3g}".replace("-", "−"))
    axes.tick_params(axis="x", bottom=False, length=0, labelsize=7)
    axes.grid(axis="x")
    # Where nothing stands above the panel, its title need not look for a place.
    axes.set_title(shorten(fact.in_unit, 24), y=1, pad=12.5)
    above: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
    axes.annotate(fact.better, (0, 1), (0, 3), color=SOFT, fontsize=6.8, **above)


def _legend(drawn: Figure, bounds: list[str]) -> None:
    entries = {
        "best control": Line2D([], [], color=CONTROL_LINE, linewidth=1, linestyle="--"),
        **{
            BOUNDS[name][1]: Line2D([], [], color=BOUNDS[name][0], linewidth=1.2) for name in bounds
        },
        "control": Patch(facecolor=CONTROL_FILL),
        "± 1 sd over seeds": Line2D([], [], color=INK, linewidth=1.1),
    }
    drawn.legend(
        list(entries.values()),
        list(entries),
        loc="lower left",
        bbox_to_anchor=(0, 0),
        ncols=len(entries),
        fontsize=7.5,
        borderaxespad=0.1,
        handlelength=1.6,
    )
