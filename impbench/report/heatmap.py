"""Method × metric at a glance: mean skill, or mean rank, over the datasets of each kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle

from impbench.report.drawing import Drawing, blank, panel, save
from impbench.report.numbers import rank_text, skill_text
from impbench.report.palette import INK, SOFT, Look
from impbench.report.run import ORACLE, Run
from impbench.report.text import counted, shorten

ROW = 0.235
COLUMN = 0.53
LABELS = 2.0
BLOCK_GAP = 0.16
HEAD = 1.3
"""Inches above the cells for slanted metric names and two lines of title."""

WORST = -3.0
"""Skill at which the colour is saturated; anything below looks the same."""

# Brown to blue through white: told apart with every common colour vision.
_SKILL = LinearSegmentedColormap.from_list(
    "skill", ["#c9731f", "#f3d3ae", "#ffffff", "#8fbfe0", "#2f79b9"]
)
_RANK = LinearSegmentedColormap.from_list("rank", ["#2f79b9", "#a9cfe8", "#f7f8fa"])


def draw_heatmap(
    run: Run, board: pd.DataFrame, looks: dict[str, Look], value: str, folder: Path
) -> Drawing | None:
    """Draw `value`, ``mean_skill`` or ``mean_rank``; rows in the order of the first block.

    Every block is one protocol on simulated or on real data. None where nothing is defined.
    """
    quality = board[~board["metric"].map(lambda name: run.metrics[name].is_cost)]
    quality = quality[quality["imputer"] != ORACLE]
    if not quality[value].notna().any():
        return None
    blocks = list(quality.groupby(["protocol", "scope"], sort=False))
    names = list(dict.fromkeys(quality["imputer"]))
    names.sort(key=lambda name: run.imputers[name].is_control)
    n_methods = sum(not run.imputers[name].is_control for name in names)
    columns = [_metrics(run, block, str(protocol)) for (protocol, _), block in blocks]
    width = LABELS + sum(map(len, columns)) * COLUMN + BLOCK_GAP * len(blocks)
    height = len(names) * ROW
    figure = blank(width + 0.45, height + HEAD + 0.05)
    left = LABELS
    for i, (((protocol, scope), block), metrics) in enumerate(zip(blocks, columns, strict=True)):
        axes = panel(figure, left, HEAD, len(metrics) * COLUMN, height)
        wide = block.pivot(index="imputer", columns="metric", values=value)
        wide = wide.reindex(index=names, columns=metrics)
        _block(axes, wide, value)
        if 0 < n_methods < len(names):
            axes.axhline(n_methods, color=INK, linewidth=1.2)
        n_datasets = int(block["n_datasets"].max())
        name = shorten(str(protocol), 12 + 9 * len(metrics))
        title = f"{name}\n{counted(n_datasets, f'{scope} dataset')}"
        axes.annotate(
            title,
            (0, 1),
            xycoords="axes fraction",
            xytext=(0, 56),
            textcoords="offset points",
            fontsize=8,
            fontweight="bold",
            linespacing=1.4,
        )
        titles = [shorten(run.metrics[name].title, 16) for name in metrics]
        axes.set_xticks(np.arange(len(metrics)) + 0.5, titles)
        axes.tick_params(axis="both", length=0, labeltop=True, labelbottom=False)
        for label in axes.get_xticklabels():
            label.set(rotation=32, ha="left", va="bottom", rotation_mode="anchor", fontsize=7.5)
        if i == 0:
            axes.set_yticks(np.arange(len(names)) + 0.5, [looks[name].label for name in names])
            for label, name in zip(axes.get_yticklabels(), names, strict=True):
                label.set(color=SOFT if run.imputers[name].is_control else INK, rotation=0)
        left += len(metrics) * COLUMN + BLOCK_GAP
    what = "skill" if value == "mean_skill" else "rank"
    alt = f"Heat map of mean {what}: {len(names)} imputers by metric, per protocol and kind of data"
    return save(figure, folder, f"heatmap-{what}", alt)


def _metrics(run: Run, block: pd.DataFrame, protocol: str) -> list[str]:
    present = set(block["metric"])
    return [name for name in run.metrics_of(protocol) if name in present]


def _block(axes: Axes, wide: pd.DataFrame, value: str) -> None:
    skill = value == "mean_skill"
    write = skill_text if skill else rank_text
    annotations = wide.map(write).to_numpy(dtype=str)
    last = max(2.0, float(np.nan_to_num(wide.to_numpy(dtype=float)).max()))
    sns.heatmap(
        # Loss may be boundless and gain is not, so each side of zero has its own scale.
        wide.where(wide > 0, wide / -WORST) if skill else wide,
        ax=axes,
        cmap=_SKILL if skill else _RANK,
        vmin=-1 if skill else 1,
        vmax=1 if skill else last,
        cbar=False,
        annot=annotations,
        fmt="",
        annot_kws={"fontsize": 7},
        linewidths=0.8,
        linecolor="white",
        xticklabels=False,
        yticklabels=False,
    )
    axes.set(xlabel="", ylabel="")
    for row, column in np.argwhere(wide.isna().to_numpy()):
        cell = Rectangle((column, row), 1, 1, facecolor="#f0f1f3", edgecolor="white", linewidth=0.8)
        axes.add_patch(cell)
        axes.text(column + 0.5, row + 0.5, "—", ha="center", va="center", fontsize=7, color=SOFT)
