"""Maps of the cells after each imputation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from impbench.page_figure import figure
from impbench.report.analysis.run import ATTAINABLE, ORACLE, Run
from impbench.report.analysis.tables import order
from impbench.report.figures.drawing import WIDTH, blank, panel
from impbench.report.figures.palette import FAINT, GROUP_COLOURS, SOFT
from impbench.report.figures.scene import Picture, Scene
from impbench.report.numbers import fixed
from impbench.report.text import counted, plain, shorten

MAX_MAPS = 18
"""Imputers per dataset whose cells are drawn."""

MAX_ALL_MAPS = 72
"""Over all datasets: a page that does not open helps nobody. In a large run half as many."""

MAP_COLUMNS = 6
MAX_GROUPS = 24
"""Cell types named in the legend."""

LEGEND_COLUMNS = 5

MAX_POINTS = 500
"""Cells per panel; a sample tells as much and keeps the page small."""

SEEING = {ORACLE: "truth (oracle)", ATTAINABLE: "attainable (sees truth)"}
"""How the controls that see the truth are named."""


def pictures_of(scene: Scene) -> dict[str, Picture]:
    """Return the pictures of a dataset by imputer, raw and true first, methods before controls.

    They are of the protocol that has most, of the first seed. None once the datasets before
    filled the page.
    """
    run = scene.run
    if not _has_room(run, scene.dataset):
        scene.leave_out(f"cells and genes are not drawn for {run.datasets[scene.dataset].title}")
        return {}
    by_protocol: dict[str, dict[str, Picture]] = {}
    jobs = run.results[(run.results["dataset"] == scene.dataset) & (run.results["status"] == "ok")]
    jobs = jobs.drop_duplicates("key").sort_values("seed", kind="stable")
    for protocol, imputer, key in jobs[["protocol", "imputer", "key"]].itertuples(index=False):
        shown = by_protocol.setdefault(protocol, {})
        if imputer not in shown and (found := scene.picture(key)) is not None:
            shown[imputer] = found
    if not any(by_protocol.values()):
        return {}

    def size(protocol: str) -> int:
        shown = by_protocol[protocol].values()
        return sum("labels" in arrays for arrays in shown) + len(shown)

    protocol = max(by_protocol, key=size)
    shown = by_protocol[protocol]
    ranked = order(run, scene.summary, protocol)
    names = dict.fromkeys(filter(None, [run.nothing, ORACLE]))
    names |= dict.fromkeys(name for name in ranked if name in run.methods)
    names |= dict.fromkeys(ranked)
    return {name: shown[name] for name in names if name in shown}


def _has_room(run: Run, dataset: str) -> bool:
    done = run.results[run.results["status"] == "ok"].groupby("dataset")["imputer"].nunique()
    before = list(run.datasets)[: list(run.datasets).index(dataset)]
    room = MAX_ALL_MAPS // 2 if run.is_large else MAX_ALL_MAPS
    return sum(min(MAX_MAPS, int(done.get(name, 0))) for name in before) < room


@figure(
    "cells",
    title="Cells",
    caption="First two principal components of a sample of cells, first seed, coloured by the cell "
    "types of the data, which no imputer saw.",
    per="dataset",
)
def cells(scene: Scene) -> Figure | None:
    """A map of the cells of a dataset after each imputation, coloured by type."""
    pictures = pictures_of(scene)
    if not pictures:
        return None
    if len(pictures) > MAX_MAPS:
        lower = counted(len(pictures) - MAX_MAPS, "lower-ranked imputer")
        scene.leave_out(f"maps of {lower} are not drawn")
    pictures = dict(list(pictures.items())[:MAX_MAPS])
    notes = _notes(scene)
    groups = _groups(list(pictures.values()))
    colours = {group: GROUP_COLOURS[i % len(GROUP_COLOURS)] for i, group in enumerate(groups)}
    n_columns = min(MAP_COLUMNS, len(pictures))
    size = (WIDTH - 0.1) / MAP_COLUMNS
    side, step = size - 0.12, size + 0.3
    legend_rows = math.ceil(min(len(groups), MAX_GROUPS + 1) / LEGEND_COLUMNS)
    legend = 0.12 + 0.2 * legend_rows if groups else 0.0
    width = max(n_columns * size, LEGEND_COLUMNS * size if groups else 0) + 0.1
    height = math.ceil(len(pictures) / n_columns) * step + legend + 0.05
    drawn = blank(width, height)
    # One pair of axes in inches holds every map: one cloud of points is drawn in place of thirty.
    axes = panel(drawn, 0, 0, width, height)
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    points, tints = [], []
    for i, (imputer, picture) in enumerate(pictures.items()):
        row, column = divmod(i, n_columns)
        left, top = 0.05 + column * size, row * step + 0.36
        frame = Rectangle((left, top), side, side, fill=False, edgecolor=FAINT, linewidth=0.8)
        axes.add_patch(frame)
        name = SEEING.get(imputer, scene.looks[imputer].label)
        name = "raw (no imputation)" if imputer == scene.run.nothing else shorten(name, 24)
        axes.text(left, top - 0.19, name, fontweight="bold", fontsize=7.5)
        axes.text(left, top - 0.05, notes.get(imputer, ""), fontsize=7, color=SOFT)
        points.append(np.array([left, top]) + side * _unit_square(picture["map"][:MAX_POINTS]))
        tints += _tints(picture, colours)[:MAX_POINTS]
    cloud = np.concatenate(points)
    axes.scatter(cloud[:, 0], cloud[:, 1], s=4, c=tints, linewidths=0, alpha=0.75, rasterized=True)
    if groups:
        _legend(drawn, colours)
    drawn.set_label(
        f"First two principal components of {scene.run.datasets[scene.dataset].title} after each "
        f"of {len(pictures)} imputations"
    )
    return drawn


def _notes(scene: Scene) -> dict[str, str]:
    """ARI per imputer, where a protocol measured it on this dataset."""
    rows = scene.rows[scene.rows["metric"] == "ari"]
    rows = rows.dropna(subset=["mean"]).drop_duplicates("imputer")
    return {
        imputer: f"ARI {fixed(mean, 2)}"
        for imputer, mean in rows[["imputer", "mean"]].itertuples(index=False)
    }


def _unit_square(points: NDArray[Any]) -> NDArray[np.float64]:
    """Scale both coordinates to 0.05 to 0.95, upwards as on a plot."""
    points = np.asarray(points, dtype=float)
    low, high = points.min(axis=0), points.max(axis=0)
    unit = (points - low) / np.where(high > low, high - low, 1.0)
    return 0.05 + 0.9 * np.column_stack([unit[:, 0], 1 - unit[:, 1]])


def _tints(picture: Picture, colours: dict[str, str]) -> list[str]:
    if "labels" not in picture:
        return [SOFT] * len(picture["map"])
    return [colours[str(label)] for label in picture["labels"]]


def _groups(pictures: list[Picture]) -> list[str]:
    labels = [picture["labels"] for picture in pictures if "labels" in picture]
    return [str(group) for group in np.unique(np.concatenate(labels))] if labels else []


def _legend(drawn: Figure, colours: dict[str, str]) -> None:
    named = _row_major(list(colours)[:MAX_GROUPS], LEGEND_COLUMNS)
    handles = [
        Line2D([], [], linestyle="", marker="o", color=colours[group], markersize=5)
        for group in named
    ]
    texts = [shorten(plain(group), 22) for group in named]
    if len(colours) > MAX_GROUPS:
        handles.append(Line2D([], [], linestyle=""))
        texts.append(f"and {len(colours) - MAX_GROUPS} more")
    drawn.legend(
        handles,
        texts,
        loc="lower left",
        bbox_to_anchor=(0, 0),
        ncols=LEGEND_COLUMNS,
        columnspacing=1.2,
        handletextpad=0.1,
        borderaxespad=0.2,
    )


def _row_major(items: list[str], n_columns: int) -> list[str]:
    """Reorder so that a legend, which matplotlib fills by column, reads along its rows."""
    n_columns = min(n_columns, len(items))
    return [item for column in range(n_columns) for item in items[column::n_columns]]
