"""Imputer × purpose at a glance: mean rank in large print, mean skill or seconds below it."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle

from impbench.report.drawing import Drawing, blank, panel, save
from impbench.report.numbers import number, rank_text, skill_text
from impbench.report.palette import INK, SOFT, Look
from impbench.report.purposes import SPEED
from impbench.report.run import Run

ROW = 0.36
COLUMN = 1.0
LABELS = 2.0
HEAD = 0.62

_PLACE = LinearSegmentedColormap.from_list("place", ["#2f79b9", "#a9cfe8", "#f7f8fa"])
_DARK = 0.28
"""Places before this one are so dark that their text is white."""


def draw_purposes(
    run: Run, purposes: pd.DataFrame, looks: dict[str, Look], folder: Path
) -> Drawing | None:
    """Draw `purposes` (see `impbench.report.purposes`); None where nothing is ranked."""
    if purposes.empty or purposes["mean_rank"].isna().all():
        return None
    columns = list(dict.fromkeys(purposes["purpose"]))
    overall = purposes[purposes["purpose"] != SPEED].groupby("imputer")["mean_place"].mean()
    names = sorted(
        dict.fromkeys(purposes["imputer"]),
        key=lambda name: (run.imputers[name].is_control, overall.get(name, math.inf)),
    )
    n_methods = sum(not run.imputers[name].is_control for name in names)
    width, height = COLUMN * len(columns), ROW * len(names)
    figure = blank(LABELS + width + 0.2, HEAD + height + 0.05)
    axes = panel(figure, LABELS, HEAD, width, height)
    axes.set(xlim=(0, len(columns)), ylim=(len(names), 0))
    axes.axis("off")
    cells = {(row.imputer, row.purpose): row for row in purposes.itertuples()}
    best = _best(run, purposes)
    for x, purpose in enumerate(columns):
        _head(axes, x, purpose, int(purposes["n_questions"][purposes["purpose"] == purpose].max()))
        for y, name in enumerate(names):
            _cell(axes, x, y, cells.get((name, purpose)), (name, purpose) in best)
    for y, name in enumerate(names):
        colour = SOFT if run.imputers[name].is_control else INK
        axes.text(-0.05, y + 0.5, looks[name].label, ha="right", va="center", color=colour)
    if 0 < n_methods < len(names):
        axes.hlines(n_methods, 0, len(columns), color=INK, linewidth=1.2, zorder=4)
    alt = f"Heat map of the mean ranks of {len(names)} imputers for {', '.join(columns)}"
    return save(figure, folder, "purposes", alt)


def _best(run: Run, purposes: pd.DataFrame) -> set[tuple[str, str]]:
    """The methods of lowest mean rank for each purpose."""
    methods = purposes[purposes["imputer"].isin(run.methods)]
    lowest = methods.groupby("purpose")["mean_rank"].transform("min")
    rows = methods[methods["mean_rank"] == lowest]
    return set(zip(rows["imputer"], rows["purpose"], strict=True))


def _head(axes: Axes, x: int, purpose: str, n_questions: int) -> None:
    words = purpose.split()
    half = (len(words) + 1) // 2
    title = purpose if len(purpose) < 14 else "\n".join([" ".join(words[:half]), *words[half:]])
    asked = f"{n_questions} question{'s' if n_questions > 1 else ''}"
    if purpose == SPEED:
        asked = f"{n_questions} dataset{'s' if n_questions > 1 else ''}"
    at = (x + 0.5, 0.0)
    for text, rise, size, weight, colour in (
        (title, 15, 8.0, "bold", INK),
        (asked, 4, 7.0, "normal", SOFT),
    ):
        axes.annotate(
            text,
            at,
            xytext=(0, rise),
            textcoords="offset points",
            ha="center",
            fontsize=size,
            fontweight=weight,
            color=colour,
            annotation_clip=False,
        )


def _cell(axes: Axes, x: int, y: int, row: object, best: bool) -> None:
    rank = getattr(row, "mean_rank", math.nan)
    if math.isnan(rank):
        axes.add_patch(Rectangle((x, y), 1, 1, facecolor="#f0f1f3", edgecolor="white", lw=1))
        axes.text(x + 0.5, y + 0.5, "—", ha="center", va="center", fontsize=7, color=SOFT)
        return
    place = getattr(row, "mean_place", 0.0)
    colour = _PLACE(place)
    ink = "white" if place < _DARK else INK
    axes.add_patch(Rectangle((x, y), 1, 1, facecolor=colour, edgecolor="white", lw=1))
    if best:
        frame = (x + 0.03, y + 0.05)
        axes.add_patch(Rectangle(frame, 0.94, 0.9, fill=False, edgecolor=INK, lw=1.3, zorder=3))
    note = _note(row)
    weight = "bold" if best else "normal"
    height = 0.36 if note else 0.5
    axes.text(x + 0.5, y + height, rank_text(rank), ha="center", va="center", c=ink, weight=weight)
    soft = SOFT if place > 0.7 else ink
    axes.text(x + 0.5, y + 0.75, note, ha="center", va="center", fontsize=6.5, color=soft)


def _note(row: object) -> str:
    seconds, skill = getattr(row, "seconds", math.nan), getattr(row, "mean_skill", math.nan)
    asked, ranked = getattr(row, "n_questions", 0), getattr(row, "n_ranked", 0)
    parts = []
    if not math.isnan(seconds):
        parts.append(f"{number(seconds, 2)} s")
    if not math.isnan(skill):
        parts.append(f"skill {skill_text(skill)}")
    if ranked < asked:
        parts.append(f"{ranked}/{asked}")
    return " · ".join(parts)
