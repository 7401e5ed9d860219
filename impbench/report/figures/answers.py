"""One figure per question, as its paper would draw it: the score along a parameter, or over data.

Where a run asks one protocol with several values of one numeric parameter (the share of masked
entries, say), its lead metric is drawn along that parameter. Otherwise every metric has a panel in
which an imputer has a row, and every dataset a point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from impbench.page_figure import figure
from impbench.report.analysis.run import Run
from impbench.report.figures.coverage import states_intervals
from impbench.report.figures.drawing import WIDTH, blank, name_looks, name_rows, panel, scatter
from impbench.report.figures.palette import INK, SOFT, Look
from impbench.report.figures.scene import Scene
from impbench.report.text import counted, shorten

MAX_DATASETS = 6
MAX_METRICS = 4
MAX_POINTS = 200
"""Points of a panel that are drawn as lines and curves; more are drawn as pixels."""

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
    if len(specs) < 2:
        return None
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


def _sweep_at(scene: Scene) -> Sweep | None:
    return sweep_of(scene.run, _alike(scene))


def _alike(scene: Scene) -> list[str]:
    """Every spec of the scene's protocol that was asked, in order."""
    name = scene.protocol.partition("[")[0]
    return [spec for spec in scene.run.protocols if spec.partition("[")[0] == name]


@figure(
    "answers",
    title="Scores",
    caption=lambda scene: (
        "Mean over seeds, whiskers ± one standard deviation; dotted: controls."
        if _sweep_at(scene)
        else "One point per dataset, mean over seeds; the black stroke is the median over "
        "datasets, failures counted as the worst. Controls below the line."
    ),
    per="protocol",
)
def answers(scene: Scene) -> Figure | None:
    """Score along the protocol's parameter, or over datasets.

    None for all but the first spec of a protocol, where one dataset's bars say it, and where
    coverage of intervals is drawn instead.
    """
    if _alike(scene)[0] != scene.protocol or states_intervals(scene):
        return None
    sweep = _sweep_at(scene)
    return _dots(scene) if sweep is None else _sweep(scene, sweep)


def _sweep(scene: Scene, sweep: Sweep) -> Figure | None:
    run, looks, metrics = scene.run, scene.looks, scene.quality_metrics[:3]
    rows = scene.summary[~scene.summary["imputer"].map(run.sees_truth)]
    rows = rows.assign(at=rows["protocol"].map(sweep.values)).dropna(subset=["at", "mean"])
    datasets = [item for item in run.datasets if item in set(rows["dataset"])][:MAX_DATASETS]
    names = scene.methods_first(set(rows["imputer"]))
    if not datasets or not metrics:
        return None
    width = (WIDTH - LEGEND) / max(len(metrics), 2)
    height = max(0.3 + len(datasets) * (PANEL + 0.75), 0.4 + 0.2 * len(names))
    drawn = blank(0.35 + width * len(metrics) + LEGEND, height)
    for row, dataset in enumerate(datasets):
        for column, fact in enumerate(metrics):
            top, left = 0.3 + row * (PANEL + 0.75), 0.6 + column * width
            axes = panel(drawn, left, top, width - 0.75, PANEL)
            here = rows[(rows["dataset"] == dataset) & (rows["metric"] == fact.name)]
            _lines(axes, here, names, looks)
            axes.set_title(f"{fact.in_unit}: {shorten(run.datasets[dataset].title, 24)}")
            axes.set_xlabel(sweep.parameter)
            axes.set_xticks(list(sweep.values.values()))
    name_looks(drawn, {looks[item].label: looks[item] for item in names}, LEGEND)
    drawn.set_label(f"{', '.join(fact.title for fact in metrics)} along {sweep.parameter}")
    return drawn


def _lines(axes: Axes, rows: pd.DataFrame, names: list[str], looks: Mapping[str, Look]) -> None:
    for name in names:
        mine = rows[rows["imputer"] == name].sort_values("at")
        look = looks[name]
        axes.errorbar(
            mine["at"],
            mine["mean"],
            yerr=mine["sd"].fillna(0),
            marker=look.marker,
            markersize=4.5,
            elinewidth=0.8,
            zorder=2 if look.is_control else 3,
            **look.line,
        )
    axes.grid()


def _dots(scene: Scene) -> Figure | None:
    run, metrics = scene.run, scene.quality_metrics[:MAX_METRICS]
    rows = scene.rows[scene.rows["counted"].notna()]
    if rows["dataset"].nunique() < 2 or not metrics:
        return None
    names = scene.methods_first(set(rows["imputer"]))
    n_methods = sum(not run.imputers[item].is_control for item in names)
    width, height = (WIDTH - LABELS) / max(len(metrics), 2), ROW * len(names)
    drawn = blank(LABELS + width * len(metrics), height + 0.85)
    place = {name: y for y, name in enumerate(names)}
    for column, fact in enumerate(metrics):
        axes = panel(drawn, LABELS + column * width, 0.35, width - 0.3, height)
        here = rows[rows["metric"] == fact.name]
        points = here.dropna(subset=["mean"])
        scatter(
            axes,
            points["mean"],
            points["imputer"].map(place),
            [scene.looks[name] for name in points["imputer"]],
            s=5**2,
            alpha=0.6,
            linewidths=0,
            # Each point of a vector drawing is an element that a browser must lay out.
            rasterized=len(points) > MAX_POINTS,
        )
        medians = (
            here[here["imputer"].isin(points["imputer"])].groupby("imputer")["counted"].median()
        )
        y = medians.index.map(place).to_numpy()
        axes.vlines(medians, y - 0.38, y + 0.38, color=INK, linewidth=1.6)
        if 0 < n_methods < len(names):
            axes.axhline(n_methods - 0.5, color=SOFT, linewidth=0.8)
        axes.set_ylim(len(names) - 0.4, -0.6)
        if column == 0:
            name_rows(axes, [scene.looks[item] for item in names], range(len(names)))
        axes.set_yticks([])
        axes.grid(axis="x")
        axes.set_title(shorten(fact.title, 26))
        better = fact.better if fact.direction else ""
        axes.set_xlabel(", ".join(filter(None, [fact.unit, better])), color=SOFT)
    drawn.set_label(f"{counted(len(metrics), 'score')} of {len(names)} imputers on each dataset")
    return drawn
