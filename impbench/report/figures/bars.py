"""Bars of every score on one dataset: methods above, controls apart below, the bounds as lines.

A row of panels is one pair of axes, in which panel c spans c to c + `SPAN`: a page may hold
dozens of these figures, and axes are what takes matplotlib's time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from impbench.report.analysis.run import ATTAINABLE, ORACLE, Run
from impbench.report.analysis.shown_metric import ShownMetric
from impbench.report.analysis.tables import order
from impbench.report.figures.drawing import WIDTH, Drawing, blank, panel, save
from impbench.report.figures.marks import add_marks
from impbench.report.figures.palette import ATTAINABLE_COLOUR, FAINT, INK, ORACLE_COLOUR, SOFT, Look
from impbench.report.figures.strokes import Strokes
from impbench.report.figures.words import Lettering
from impbench.report.text import shorten
from impbench.truth_control import TRUTH_CONTROLS

Values = NDArray[np.float64]

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
    scored = set(rows.loc[rows["n_scored"] > 0, "metric"])
    metrics = [
        metric
        for metric in run.metrics_of(protocol)
        if metric in scored and metric != "cpu-seconds"
    ]
    if not metrics:
        return None
    places = _places(run, order(run, summary, protocol), set(rows["imputer"]))
    body = ROW * (max(places.values()) + 1)
    step = 0.32 + body + 0.42
    n_columns = min(COLUMNS, len(metrics))
    width = (WIDTH - LABELS - 0.15) / COLUMNS
    n_rows = math.ceil(len(metrics) / n_columns)
    figure = blank(LABELS + 0.15 + width * n_columns, n_rows * step + 0.24)
    for row in range(n_rows):
        shown = metrics[row * n_columns : (row + 1) * n_columns]
        axes = panel(figure, LABELS, row * step + 0.32, width * n_columns, body)
        axes.set(xlim=(0, n_columns), ylim=(max(places.values()) + 0.6, -0.6))
        axes.axis("off")
        words, strokes = Lettering(), Strokes()
        for column, metric in enumerate(shown):
            cells = {str(row.imputer): row for row in rows[rows["metric"] == metric].itertuples()}
            _panel(axes, words, strokes, column, cells, run.metrics[metric], looks, places)
        for imputer, place in places.items():
            colour = SOFT if run.imputers[imputer].is_control else INK
            words.add(-0.03, place, looks[imputer].label, colour, ha="right", va="center")
        strokes.draw(axes)
        words.write(axes)
    _legend(figure, [name for name in BOUNDS if name in places])
    title = run.datasets[dataset].title
    alt = f"Bars of {len(metrics)} scores of {len(places)} imputers on {title}, protocol {protocol}"
    return save(figure, folder, name, alt)


def _places(run: Run, ordered: list[str], present: set[str]) -> dict[str, float]:
    """Heights of the rows, from the top: methods, a gap, controls."""
    methods = [name for name in ordered if name in present and not run.imputers[name].is_control]
    controls = [name for name in ordered if name in present and run.imputers[name].is_control]
    start = len(methods) + GAP if methods else 0.0
    places = {name: float(i) for i, name in enumerate(methods)}
    return places | {name: start + i for i, name in enumerate(controls)}


@dataclass(frozen=True)
class _Scale:
    """From a metric's values to places within its panel."""

    column: int
    low: float
    high: float
    logarithmic: bool

    @classmethod
    def of(cls, column: int, fact: ShownMetric, means: Values, sds: Values) -> _Scale:
        ends = np.concatenate([means - sds, means + sds])
        if fact.unit == "s" and means.min() > 0:
            return cls(column, float(means.min()) / 2, float(ends.max()) * 1.3, True)
        low, high = min(0.0, float(ends.min())), max(0.0, float(ends.max()))
        return cls(column, low, high if high > low else low + 1, False)

    def __call__(self, values: float | Values) -> Values:
        value = np.asarray(values, dtype=float)
        low, high = self.low, self.high
        if self.logarithmic:
            value, low, high = np.log10(np.maximum(value, low)), math.log10(low), math.log10(high)
        return self.column + SPAN * (value - low) / (high - low)

    def ticks(self) -> list[float]:
        if not self.logarithmic:
            inside = np.asarray(MaxNLocator(4).tick_values(self.low, self.high))
        else:
            exponents = np.arange(math.ceil(math.log10(self.low)), math.log10(self.high))
            inside = 10.0 ** exponents[:: 1 + len(exponents) // 5]
        return [float(value) for value in inside if self.low <= value <= self.high * 1.001]


def _panel(
    axes: Axes,
    words: Lettering,
    strokes: Strokes,
    column: int,
    cells: dict[str, Any],
    fact: ShownMetric,
    looks: dict[str, Look],
    places: dict[str, float],
) -> None:
    names = [name for name in places if math.isfinite(cells[name].mean)]
    means = np.array([cells[name].mean for name in names])
    sds = np.nan_to_num(np.array([cells[name].sd for name in names]))
    scale = _Scale.of(column, fact, means, sds)
    y = np.array([places[name] for name in names])
    bottom, top = max(places.values()) + 0.6, -0.6
    ticks = scale.ticks()
    at = scale(np.array(ticks))
    strokes.add((at, at), (bottom, top), FAINT, 0.6)
    if scale.logarithmic:
        # A bar needs a zero to stand on, and a logarithmic axis has none.
        colours = [SOFT if looks[name].is_control else looks[name].colour for name in names]
        add_marks(axes, scale(means), y, [looks[name] for name in names], 6.5, colours)
    else:
        fills = [
            CONTROL_FILL
            if looks[name].is_control and name not in TRUTH_CONTROLS
            else looks[name].colour
            for name in names
        ]
        bar = 0.72 * ROW * 72
        strokes.add((scale(0.0), scale(means)), (y, y), fills, bar, zorder=2)
    spread = sds > 0
    low, high = scale((means - sds)[spread]), scale((means + sds)[spread])
    strokes.add((low, high), (y[spread], y[spread]), INK, 1.1, zorder=4)
    for name, place in places.items():
        if name not in names:
            # Nobody imputes for those that see the truth, so there is nothing to time.
            if name in TRUTH_CONTROLS and fact.is_cost:
                continue
            text = "undefined" if cells[name].status == "ok" else cells[name].status
            words.add(column + 0.02, place, text, FAILED, va="center", fontsize=7)
    _bounds(strokes, cells, fact, scale, bottom, top)
    strokes.add((column, column + SPAN), (bottom, bottom), SOFT, 0.6, zorder=2)
    for tick in ticks:
        text = f"{tick:.3g}".replace("-", "−")
        words.add(float(scale(tick)), bottom + 0.25, text, ha="center", va="top", fontsize=7)
    direction = {1: "lower is better", -1: "higher is better", 0: "direction unknown"}
    unit = f" ({fact.unit})" if fact.unit else ""
    title = shorten(f"{fact.title}{unit}", 24)
    words.add(column, top - 0.75, title, fontsize=9, fontweight="bold")
    words.add(column, top - 0.12, direction[fact.direction], SOFT, fontsize=6.8)


def _bounds(
    strokes: Strokes,
    cells: dict[str, Any],
    fact: ShownMetric,
    scale: _Scale,
    bottom: float,
    top: float,
) -> None:
    x = scale(0.0) if not scale.logarithmic else scale.column
    strokes.add((x, x), (bottom, top), SOFT, 0.6, zorder=2)
    if fact.is_cost or not fact.direction:
        return
    control = next(iter(cells.values())).control
    if control in cells:
        x = scale(cells[control].mean)
        strokes.add((x, x), (bottom, top), CONTROL_LINE, 1, "--", zorder=5)
    for name, (colour, _) in BOUNDS.items():
        if name in cells and math.isfinite(cells[name].mean):
            x = scale(cells[name].mean)
            strokes.add((x, x), (bottom, top), colour, 1.2, zorder=5)


def _legend(figure: Figure, bounds: list[str]) -> None:
    entries = {
        "best control": Line2D([], [], color=CONTROL_LINE, linewidth=1, linestyle="--"),
        **{
            BOUNDS[name][1]: Line2D([], [], color=BOUNDS[name][0], linewidth=1.2) for name in bounds
        },
        "control": Patch(facecolor=CONTROL_FILL),
        "± 1 sd over seeds": Line2D([], [], color=INK, linewidth=1.1),
    }
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
