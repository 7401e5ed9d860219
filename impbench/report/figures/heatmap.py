"""Method × metric at a glance: mean skill, or mean rank, over the datasets of each kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from impbench.report.analysis.run import Run
from impbench.report.analysis.worst import marked
from impbench.report.figures.drawing import Drawing, blank, save, sheet
from impbench.report.figures.palette import INK, SOFT, Look
from impbench.report.figures.words import add_words
from impbench.report.numbers import rank_text, skill_text
from impbench.report.text import counted, shorten

ROW = 0.235
COLUMN = 0.53
LABELS = 2.0
BLOCK_GAP = 0.16
HEAD = 1.3
"""Inches above the cells for slanted metric names and two lines of title."""

# Brown to blue through white: told apart with every common colour vision.
_SKILL = LinearSegmentedColormap.from_list(
    "skill", ["#c9731f", "#f3d3ae", "#ffffff", "#8fbfe0", "#2f79b9"]
).with_extremes(bad="#f0f1f3")
_RANK = LinearSegmentedColormap.from_list("rank", ["#2f79b9", "#a9cfe8", "#f7f8fa"]).with_extremes(
    bad="#f0f1f3"
)

_LIGHTNESS = np.array([0.2126, 0.7152, 0.0722])
"""Weights of red, green and blue, ITU-R BT.709; below 0.67 white text is read more easily."""


def draw_heatmap(
    run: Run, board: pd.DataFrame, looks: dict[str, Look], value: str, folder: Path
) -> Drawing | None:
    """Draw `value`, ``mean_skill`` or ``mean_rank``; rows in the order of the first block.

    Every block is one protocol on simulated or on real data. None where nothing is defined.
    """
    quality = board[~board["metric"].map(lambda name: run.metrics[name].is_cost)]
    quality = quality[~quality["imputer"].map(run.sees_truth)]
    if not quality[value].notna().any():
        return None
    blocks = list(quality.groupby(["protocol", "scope"], sort=False))
    names = list(dict.fromkeys(quality["imputer"]))
    names.sort(key=lambda name: run.imputers[name].is_control)
    n_methods = sum(not run.imputers[name].is_control for name in names)
    columns = [_metrics(run, block, str(protocol)) for (protocol, _), block in blocks]
    width = LABELS + sum(map(len, columns)) * COLUMN + BLOCK_GAP * len(blocks)
    figure = blank(width + 0.45, HEAD + len(names) * ROW + 0.05)
    axes = sheet(figure)
    y = HEAD + ROW * (np.arange(len(names)) + 0.5)
    colours = [SOFT if run.imputers[name].is_control else INK for name in names]
    labels = [looks[name].label for name in names]
    add_words(axes, LABELS - 0.06, y, labels, colours, ha="right", va="center")
    left = LABELS
    for ((protocol, scope), block), metrics in zip(blocks, columns, strict=True):
        values, lost = (
            block.pivot(index="imputer", columns="metric", values=column).reindex(
                index=names, columns=metrics
            )
            for column in (value, "n_lost")
        )
        _block(axes, left, values, lost, value)
        right = left + len(metrics) * COLUMN
        if 0 < n_methods < len(names):
            axes.hlines(HEAD + n_methods * ROW, left, right, color=INK, linewidth=1.2)
        title = [
            shorten(str(protocol), 12 + 9 * len(metrics)),
            counted(int(block["n_datasets"].max()), f"{scope} dataset"),
        ]
        add_words(axes, left, [HEAD - 0.96, HEAD - 0.78], title, fontweight="bold")
        titles = [shorten(run.metrics[name].title, 16) for name in metrics]
        x = left + COLUMN * (np.arange(len(metrics)) + 0.5)
        add_words(axes, x, HEAD - 0.05, titles, SOFT, fontsize=7.5, rotation=32)
        left = right + BLOCK_GAP
    what = "skill" if value == "mean_skill" else "rank"
    alt = f"Heat map of mean {what}: {len(names)} imputers by metric, per protocol and kind of data"
    return save(figure, folder, f"heatmap-{what}", alt)


def _metrics(run: Run, block: pd.DataFrame, protocol: str) -> list[str]:
    present = set(block["metric"])
    return [name for name in run.metrics_of(protocol) if name in present]


def _block(axes: Axes, left: float, wide: pd.DataFrame, lost: pd.DataFrame, value: str) -> None:
    """Draw imputers × metrics as cells with their numbers, `left` inches from the figure's edge."""
    skill = value == "mean_skill"
    values = wide.to_numpy(dtype=float)
    last = max(2.0, float(np.nan_to_num(values).max()))
    x = left + COLUMN * np.arange(wide.shape[1] + 1)
    y = HEAD + ROW * np.arange(wide.shape[0] + 1)
    shown = np.ma.masked_invalid(values)
    cells = axes.pcolormesh(
        x,
        y,
        shown,
        cmap=_SKILL if skill else _RANK,
        vmin=-1 if skill else 1,
        vmax=1 if skill else last,
        edgecolors="white",
        linewidth=0.8,
    )
    fills = np.asarray(cells.cmap(cells.norm(shown)))[..., :3].reshape(-1, 3)
    dark = fills @ _LIGHTNESS < 0.67
    colours = np.where(np.isnan(values).ravel(), SOFT, np.where(dark, "white", INK))
    centre_x, centre_y = np.meshgrid(x[:-1] + COLUMN / 2, y[:-1] + ROW / 2)
    write = skill_text if skill else rank_text
    texts = [
        write(number) if np.isnan(number) else marked(write(number), n_lost)
        for number, n_lost in zip(values.ravel(), lost.to_numpy(dtype=float).ravel(), strict=True)
    ]
    add_words(
        axes,
        centre_x.ravel(),
        centre_y.ravel(),
        texts,
        list(colours),
        fontsize=7,
        ha="center",
        va="center",
    )
