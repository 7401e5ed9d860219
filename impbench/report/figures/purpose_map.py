"""Imputer × purpose at a glance: mean rank in large print, mean skill or seconds below it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle

from impbench.report.analysis.purposes import SPEED
from impbench.report.analysis.run import Run
from impbench.report.analysis.worst import marked
from impbench.report.figures.drawing import Drawing, blank, save, sheet
from impbench.report.figures.palette import INK, SOFT, Look
from impbench.report.figures.words import Lettering, add_words
from impbench.report.numbers import number, rank_text, skill_text
from impbench.report.text import counted

ROW = 0.36
COLUMN = 1.0
LABELS = 2.0
HEAD = 0.62

_PLACE = LinearSegmentedColormap.from_list(
    "place", ["#2f79b9", "#a9cfe8", "#f7f8fa"]
).with_extremes(bad="#f0f1f3")
_DARK = 0.28
"""Places before this one are so dark that their text is white."""


_CENTRED: dict[str, Any] = {"ha": "center", "va": "center"}


def draw_purposes(
    run: Run, purposes: pd.DataFrame, looks: dict[str, Look], folder: Path
) -> Drawing | None:
    """Draw `purposes` (see `impbench.report.analysis.purposes`); None where nothing is ranked."""
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
    axes = sheet(figure)
    colours = [SOFT if run.imputers[name].is_control else INK for name in names]
    y = HEAD + ROW * (np.arange(len(names)) + 0.5)
    labels = [looks[name].label for name in names]
    add_words(axes, LABELS - 0.06, y, labels, colours, ha="right", va="center")
    _heads(axes, purposes, columns)
    wide = purposes.set_index(["imputer", "purpose"])["mean_place"].unstack()
    places = wide.reindex(index=names, columns=columns).to_numpy(dtype=float)
    x_edges, y_edges = (
        start + step * np.arange(n + 1)
        for start, step, n in ((LABELS, COLUMN, len(columns)), (HEAD, ROW, len(names)))
    )
    shown = np.ma.masked_invalid(places)
    axes.pcolormesh(
        x_edges, y_edges, shown, cmap=_PLACE, vmin=0, vmax=1, edgecolors="white", linewidth=0.8
    )
    _cells(axes, purposes, names, columns, _best(run, purposes))
    if 0 < n_methods < len(names):
        edge = HEAD + n_methods * ROW
        axes.hlines(edge, LABELS, LABELS + width, color=INK, linewidth=1.2, zorder=4)
    alt = f"Heat map of the mean ranks of {len(names)} imputers for {', '.join(columns)}"
    return save(figure, folder, "purposes", alt)


def _best(run: Run, purposes: pd.DataFrame) -> set[tuple[str, str]]:
    """The methods of lowest mean rank for each purpose, of those that never failed."""
    methods = purposes[purposes["imputer"].isin(run.methods) & (purposes["n_failed"] == 0)]
    lowest = methods.groupby("purpose")["mean_rank"].transform("min")
    rows = methods[methods["mean_rank"] == lowest]
    return set(zip(rows["imputer"], rows["purpose"], strict=True))


def _heads(axes: Axes, purposes: pd.DataFrame, columns: list[str]) -> None:
    """Write each purpose, in one or two lines, and how many questions stand for it."""
    x = LABELS + COLUMN * (np.arange(len(columns)) + 0.5)
    firsts, seconds, asked = list[str](), list[str](), list[str]()
    for purpose in columns:
        words = purpose.split()
        half = len(words) if len(purpose) < 14 else (len(words) + 1) // 2
        first, second = " ".join(words[:half]), " ".join(words[half:])
        firsts.append(first if second else "")
        seconds.append(second or first)
        n = int(purposes["n_questions"][purposes["purpose"] == purpose].max())
        asked.append(counted(n, "dataset" if purpose == SPEED else "question"))
    for texts, rise in ((firsts, 0.34), (seconds, 0.2)):
        add_words(axes, x, HEAD - rise, texts, ha="center", fontweight="bold")
    add_words(axes, x, HEAD - 0.06, asked, SOFT, ha="center", fontsize=7)


def _cells(
    axes: Axes,
    purposes: pd.DataFrame,
    names: list[str],
    columns: list[str],
    best: set[tuple[str, str]],
) -> None:
    """Write rank and note into every cell, and frame the best."""
    found = {(row.imputer, row.purpose): row for row in purposes.itertuples()}
    lines = Lettering()
    for y, name in enumerate(names):
        for x, purpose in enumerate(columns):
            row = found.get((name, purpose))
            left, top = LABELS + x * COLUMN, HEAD + y * ROW
            rank = getattr(row, "mean_rank", math.nan)
            note = "" if math.isnan(rank) else _note(row)
            place = getattr(row, "mean_place", 1.0)
            colour = SOFT if math.isnan(rank) else "white" if place < _DARK else INK
            is_best = (name, purpose) in best
            if is_best:
                frame = (left + 0.03 * COLUMN, top + 0.05 * ROW)
                size = (0.94 * COLUMN, 0.9 * ROW)
                axes.add_patch(Rectangle(frame, *size, fill=False, edgecolor=INK, lw=1.3, zorder=3))
            middle = left + COLUMN / 2
            lines.add(
                middle,
                top + (0.36 if note else 0.5) * ROW,
                marked(rank_text(rank), getattr(row, "n_lost", 0)),
                colour,
                fontweight="bold" if is_best else "normal",
                **_CENTRED,
            )
            soft = SOFT if place > 0.7 else colour
            lines.add(middle, top + 0.76 * ROW, note, soft, fontsize=6.5, **_CENTRED)
    lines.write(axes)


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
