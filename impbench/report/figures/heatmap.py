"""Method × metric at a glance: mean skill, or mean rank, over the datasets of each kind."""

from __future__ import annotations

import itertools
from typing import Any, Literal

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure

from impbench.page_figure import figure
from impbench.report.analysis.worst import marked
from impbench.report.figures.colour_cells import colour_cells, text_colours
from impbench.report.figures.drawing import POINTS, blank, name_rows, panel
from impbench.report.figures.palette import INK, SOFT
from impbench.report.figures.scene import Scene
from impbench.report.numbers import MISSING, rank_text, skill_text
from impbench.report.text import counted, shorten

ROW = 0.235
COLUMN = 0.53
LABELS = 2.0
BLOCK_GAP = 0.1
MAX_COLUMNS = 48
"""Above, only the metric that leads each protocol has a column: nobody reads a hundred."""

HEAD = 1.3
"""Inches above the cells for slanted metric names and two lines of title."""

NOTHING = "#f0f1f3"
"""Fill of a cell without a number."""

# Brown to blue through white: told apart with every common colour vision.
_SKILL = LinearSegmentedColormap.from_list(
    "skill", ["#c9731f", "#f3d3ae", "#ffffff", "#8fbfe0", "#2f79b9"]
).with_extremes(bad=NOTHING)
RANKS = LinearSegmentedColormap.from_list("rank", ["#2f79b9", "#a9cfe8", "#f7f8fa"]).with_extremes(
    bad=NOTHING
)


@figure(
    "heatmap-skill",
    title="Mean skill per metric",
    caption=lambda scene: (
        "Blue: better than doing nothing; white: like it; brown: worse than it. 1 is the bound; — "
        "where there is no skill, because the metric has no bound or doing nothing is as good as "
        f"it. Controls stand below the line.{scene.mark_note}"
    ),
    section="glance",
)
def skill(scene: Scene) -> Figure | None:
    """Mean skill of every imputer in every metric."""
    return _heatmap(scene, "mean_skill", _SKILL, -1, 1)


@figure(
    "heatmap-rank",
    title="Mean rank per metric",
    caption=lambda scene: (
        f"1 is best, and darker is better. Controls are ranked along.{scene.mark_note}"
    ),
    section="glance",
)
def rank(scene: Scene) -> Figure | None:
    """Mean rank of every imputer in every metric."""
    last = scene.board["mean_rank"].max()
    return _heatmap(scene, "mean_rank", RANKS, 1, max(2.0, last))


def _heatmap(
    scene: Scene,
    value: Literal["mean_skill", "mean_rank"],
    colours: Colormap,
    low: float,
    high: float,
) -> Figure | None:
    """Draw `value`; a block of columns is one protocol on simulated or on real data.

    Rows are in the order of the first block. None where nothing is defined.
    """
    run = scene.run
    quality = scene.board[~scene.board["metric"].map(lambda name: run.metrics[name].is_cost)]
    quality = quality[~quality["imputer"].map(run.sees_truth)]
    if not quality[value].notna().any():
        return None
    names = list(dict.fromkeys(quality["imputer"]))
    names.sort(key=lambda name: run.imputers[name].is_control)
    keys = ["protocol", "scope", "metric"]
    blocks = quality.drop_duplicates(keys[:2])[[*keys[:2]]].itertuples(index=False, name=None)
    present = set(quality[keys].itertuples(index=False, name=None))
    columns = [
        (protocol, scope, metric)
        for protocol, scope in blocks
        for metric in run.metrics_of(protocol)
        if (protocol, scope, metric) in present
    ]
    leads_alone = len(columns) > MAX_COLUMNS
    if leads_alone:
        columns = [key for key in columns if key[2] == run.lead_metric(key[0])]
        scene.leave_out("heat maps show the leading score of each protocol")
    values, lost = (
        quality.pivot(index="imputer", columns=keys, values=column)
        .reindex(index=names, columns=pd.MultiIndex.from_tuples(columns))
        .to_numpy(dtype=float)
        for column in (value, "n_lost")
    )
    width, height = COLUMN * len(columns), ROW * len(names)
    drawn = blank(LABELS + width + (1.4 if leads_alone else 0.45), HEAD + height + 0.05)
    axes = panel(drawn, LABELS, HEAD, width, height)
    write = skill_text if value == "mean_skill" else rank_text
    mesh = colour_cells(axes, values, colours, low, high)
    middle: dict[str, Any] = {"fontsize": 7, "ha": "center", "va": "center"}
    for (y, x), colour in zip(np.ndindex(values.shape), text_colours(mesh), strict=True):
        if not np.isnan(values[y, x]):
            text = marked(write(float(values[y, x])), float(lost[y, x]))
            axes.text(x + 0.5, y + 0.5, text, color=colour, **middle)
    for y, x in np.argwhere(np.isnan(values)):
        axes.text(x + 0.5, y + 0.5, MISSING, color=SOFT, **middle)
    name_imputers(axes, scene, names)
    above, va, _ = axes.get_xaxis_text2_transform(matplotlib.rcParams["xtick.major.pad"])
    slant: dict[str, Any] = {"rotation": 32, "rotation_mode": "anchor", "ha": "left", "va": va}
    slant |= {"fontsize": matplotlib.rcParams["xtick.labelsize"], "color": SOFT}
    for x, (protocol, scope, metric) in enumerate(columns):
        title = shorten(run.metrics[metric].title, 16)
        title = f"{shorten(protocol, 24)}, {scope}" if leads_alone else title
        axes.text(x + 0.35, 1, title, transform=above, **slant)
    if not leads_alone:
        _name_blocks(axes, columns, quality)
    what = "skill" if value == "mean_skill" else "rank"
    drawn.set_label(
        f"Heat map of mean {what}: {len(names)} imputers by metric, per protocol and kind of data"
    )
    return drawn


def name_imputers(axes: Axes, scene: Scene, names: list[str]) -> None:
    """Name the rows of a heat map; `names` has controls last, and a line above them."""
    looks = [scene.looks[name] for name in names]
    name_rows(axes, looks, [y + 0.5 for y in range(len(names))])
    n_methods = sum(not look.is_control for look in looks)
    if 0 < n_methods < len(names):
        axes.axhline(n_methods, color=INK, linewidth=1.2)


def _name_blocks(axes: Axes, columns: list[tuple[str, str, str]], quality: pd.DataFrame) -> None:
    """Write protocol and data above the first column of each block, and part the blocks."""
    n_datasets = quality.groupby(["protocol", "scope"])["n_datasets"].max()
    left = 0
    for (protocol, scope), block in itertools.groupby(columns, key=lambda column: column[:2]):
        n_columns = len(list(block))
        title = shorten(protocol, 7 * max(2, n_columns))
        data = counted(int(n_datasets[protocol, scope]), f"{scope} dataset")
        axes.text(left, -0.96 / ROW, title, fontweight="bold")
        axes.text(left, -0.8 / ROW, data, fontsize=7)
        if left:
            axes.axvline(left, color="white", linewidth=BLOCK_GAP * POINTS)
        left += n_columns
