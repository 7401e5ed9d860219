"""Imputer × purpose at a glance: mean rank in large print, mean skill or seconds below it."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from impbench.page_figure import figure
from impbench.report.analysis.purposes import SPEED, beside_rank, best_of
from impbench.report.analysis.worst import marked
from impbench.report.figures.colour_cells import colour_cells
from impbench.report.figures.drawing import blank, panel
from impbench.report.figures.heatmap import RANKS, name_imputers
from impbench.report.figures.palette import INK, SOFT
from impbench.report.figures.scene import Scene
from impbench.report.numbers import rank_text
from impbench.report.text import counted, listed

ROW = 0.36
COLUMN = 1.0
LABELS = 2.0
HEAD = 0.62

_DARK = 0.28
"""Places before this one are so dark that their text is white."""


def _caption(scene: Scene) -> str:
    seeing = [name for name in scene.run.imputers if scene.run.sees_truth(name)]
    without = f"; {listed(seeing)}, which see the truth, are left out" if seeing else ""
    once = ""
    if any("[" in protocol for protocol in scene.run.protocols):
        once = " Where a plain protocol was asked, its forms with parameters do not count."
    return (
        "Large: mean rank among all imputers on the leading score of each question, 1 is best; "
        "darker is better, framed is the best method. Small: mean skill (0 = doing nothing, 1 = "
        "the bound), or median seconds per imputation. Methods stand by their mean over the "
        f"purposes, controls below the line{without}.{once}{scene.mark_note}"
    )


@figure("purposes", title="Mean rank per purpose", caption=_caption, section="purposes")
def purposes(scene: Scene) -> Figure | None:
    """Mean rank of every imputer for every purpose, with its skill or its time."""
    run, table = scene.run, scene.purposes
    if table.empty or table["mean_rank"].isna().all():
        return None
    columns = list(dict.fromkeys(table["purpose"]))
    overall = table[table["purpose"] != SPEED].groupby("imputer")["mean_place"].mean()
    names = sorted(
        dict.fromkeys(table["imputer"]),
        key=lambda name: (run.imputers[name].is_control, overall.get(name, math.inf)),
    )
    width, height = COLUMN * len(columns), ROW * len(names)
    drawn = blank(LABELS + width + 0.2, HEAD + height + 0.05)
    axes = panel(drawn, LABELS, HEAD, width, height)
    places = table.pivot(index="imputer", columns="purpose", values="mean_place")
    shown = places.reindex(index=names, columns=columns).to_numpy(dtype=float)
    colour_cells(axes, shown, RANKS, 0, 1)
    name_imputers(axes, scene, names)
    _heads(axes, table, columns)
    _cells(axes, table, names, columns, best_of(run, table))
    drawn.set_label(f"Heat map of the mean ranks of {len(names)} imputers for {', '.join(columns)}")
    return drawn


def _heads(axes: Axes, table: pd.DataFrame, columns: list[str]) -> None:
    """Write each purpose, in one or two lines, and how many questions stand for it."""
    for x, purpose in enumerate(columns, 0):
        words = purpose.split()
        half = len(words) if len(purpose) < 14 else (len(words) + 1) // 2
        lines = [" ".join(part) for part in (words[:half], words[half:]) if part]
        n = int(table["n_questions"][table["purpose"] == purpose].max())
        asked = counted(n, "dataset" if purpose == SPEED else "question")
        axes.text(x + 0.5, -0.18 / ROW, "\n".join(lines), ha="center", fontweight="bold")
        axes.text(x + 0.5, -0.06 / ROW, asked, ha="center", color=SOFT, fontsize=7)


def _cells(
    axes: Axes,
    table: pd.DataFrame,
    names: list[str],
    columns: list[str],
    best: set[tuple[str, str]],
) -> None:
    """Write rank and note into every cell, and frame the best."""
    found = {(row.imputer, row.purpose): row for row in table.itertuples()}
    for y, name in enumerate(names):
        for x, purpose in enumerate(columns):
            row = found.get((name, purpose))
            rank = getattr(row, "mean_rank", math.nan)
            note = "" if math.isnan(rank) else beside_rank(row)
            place = getattr(row, "mean_place", 1.0)
            colour = SOFT if math.isnan(rank) else "white" if place < _DARK else INK
            is_best = (name, purpose) in best
            if is_best:
                frame = Rectangle(
                    (x + 0.03, y + 0.05), 0.94, 0.9, fill=False, edgecolor=INK, lw=1.3
                )
                axes.add_patch(frame)
            axes.text(
                x + 0.5,
                y + (0.36 if note else 0.5),
                marked(rank_text(rank), getattr(row, "n_lost", 0)),
                color=colour,
                fontweight="bold" if is_best else "normal",
                ha="center",
                va="center",
            )
            soft = SOFT if place > 0.7 else colour
            axes.text(x + 0.5, y + 0.76, note, color=soft, fontsize=6.5, ha="center", va="center")
