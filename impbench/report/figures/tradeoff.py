"""Accuracy against time: what a method's score costs, with the best bargains named."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from impbench.page_figure import figure
from impbench.report.analysis.purposes import TIME
from impbench.report.analysis.run import ORACLE
from impbench.report.figures.drawing import WIDTH, blank, name_looks, panel, scatter
from impbench.report.figures.palette import ORACLE_COLOUR, SOFT
from impbench.report.figures.scene import Scene
from impbench.report.numbers import number
from impbench.report.text import shorten

COLUMNS = 3
PANEL_HEIGHT = 2.1
LEGEND = 2.3
MAX_HEIGHT = 4.2
MAX_PANELS = 12
MAX_ALL_PANELS = 24
"""Over all protocols, but two of each."""


def _caption(scene: Scene) -> str:
    metric = scene.run.metrics[scene.run.lead_metric(scene.protocol) or TIME]
    oracle = "; the black line is the oracle" if ORACLE in scene.run.imputers else ""
    return (
        f"{metric.title} ({metric.better}) against "
        "wall-clock seconds of one imputation, logarithmic. The dotted line joins imputers that "
        f"none beats in both and that did not fail{oracle}. Grey: controls."
    )


@figure("tradeoff", title="Accuracy and time", caption=_caption, per="protocol", section="time")
def tradeoff(scene: Scene) -> Figure | None:
    """Lead metric of a protocol against wall time, one panel per dataset.

    At most `MAX_PANELS` datasets, the first of the plan; fewer where there are many protocols.
    None where times or scores are missing.
    """
    run, metric = scene.run, scene.run.lead_metric(scene.protocol)
    asked = scene.rows[~scene.rows["imputer"].map(run.sees_truth)]
    wide = asked[asked["metric"].isin([metric, TIME])].pivot(
        index=["dataset", "imputer", "n_failed"], columns="metric", values="mean"
    )
    if metric is None or TIME not in wide or metric not in wide:
        return None
    points = wide.rename(columns={TIME: "time", metric: "score"}).reset_index()
    points = points[(points["time"] > 0) & points["score"].notna()]
    present, asked_of = set(points["imputer"]), set(points["dataset"])
    datasets = [item for item in run.datasets if item in asked_of]
    if not datasets:
        return None
    n_panels = min(MAX_PANELS, max(2, MAX_ALL_PANELS // len(run.protocols)))
    if len(datasets) > n_panels:
        scene.leave_out(
            f"accuracy against time shows the first {n_panels} datasets of each protocol"
        )
    datasets = datasets[:n_panels]
    names = scene.methods_first(present)
    looks = {item: scene.looks[item] for item in names}
    n_columns = min(COLUMNS, len(datasets))
    n_rows, legend = math.ceil(len(datasets) / n_columns), 0.2 + 0.165 * len(names)
    width = min(3.6, (WIDTH - LEGEND - 0.75) / n_columns)
    # Panels use the height that the names of many imputers take.
    side = min(MAX_HEIGHT, max(PANEL_HEIGHT, legend / n_rows - 0.78))
    step = side + 0.78
    height = max(n_rows * step, legend) + 0.05
    drawn = blank(0.75 + width * n_columns + LEGEND, height)
    limits = points["time"].min() / 1.8, points["time"].max() * 1.8
    for i, dataset in enumerate(datasets):
        row, column = divmod(i, n_columns)
        axes = panel(drawn, 0.75 + column * width, row * step + 0.28, width - 0.55, side)
        here = points[points["dataset"] == dataset]
        shown = [looks[name] for name in here["imputer"]]
        scatter(axes, here["time"], here["score"], shown, s=42, zorder=3, ec="white", lw=0.4)
        front = here.iloc[_front(here, run.metrics[metric].direction)].sort_values("time")
        axes.plot(front["time"], front["score"], color=SOFT, linewidth=0.8, zorder=2, dashes=(2, 2))
        asked = scene.rows[(scene.rows["dataset"] == dataset) & (scene.rows["metric"] == metric)]
        for bound in asked.loc[asked["imputer"] == ORACLE, "mean"].dropna():
            axes.axhline(bound, color=ORACLE_COLOUR, linewidth=1)
        axes.set(xscale="log", xlim=limits, xlabel="seconds per imputation")
        axes.minorticks_off()
        axes.xaxis.set_major_formatter(lambda value, _: number(value, 1))
        axes.grid()
        axes.margins(y=0.12)
        # Where nothing stands above the panel, its title need not look for a place.
        axes.set_title(shorten(run.datasets[dataset].title, int(width * 10)), y=1)
        axes.set_ylabel(run.metrics[metric].title if column == 0 else "")
    name_looks(
        drawn,
        {look.label: look for look in looks.values()},
        LEGEND + 0.2,
        lines=False,
        handletextpad=0.1,
    )
    drawn.set_label(
        f"{run.metrics[metric].title} against seconds per imputation, protocol {scene.protocol}"
    )
    return drawn


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
