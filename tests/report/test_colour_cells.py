"""Cells are coloured, and written on, exactly as seaborn's heat map does it."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import seaborn
from matplotlib.figure import Figure

from impbench.report.figures.colour_cells import colour_cells, text_colours
from impbench.report.figures.drawing import blank, panel, save, style

COLOURS = matplotlib.colormaps["RdYlBu"].with_extremes(bad="#f0f1f3")
VALUES = np.random.default_rng(0).normal(0, 0.7, (7, 5))
VALUES[2, 1] = VALUES[6, 4] = np.nan


def with_seaborn() -> Figure:
    drawn = blank(6, 4)
    seaborn.heatmap(
        VALUES,
        annot=True,
        fmt=".2f",
        cmap=COLOURS,
        vmin=-1,
        vmax=1,
        linewidths=0.8,
        cbar=False,
        xticklabels=False,
        yticklabels=False,
        ax=panel(drawn, 1, 1, 4, 2),
    )
    return drawn


def with_ours() -> Figure:
    drawn = blank(6, 4)
    axes = panel(drawn, 1, 1, 4, 2)
    colours = text_colours(colour_cells(axes, VALUES, COLOURS, -1, 1))
    for (y, x), colour in zip(np.ndindex(VALUES.shape), colours, strict=True):
        if not np.isnan(VALUES[y, x]):
            place = (x + 0.5, y + 0.5)
            axes.text(*place, f"{VALUES[y, x]:.2f}", color=colour, ha="center", va="center")
    return drawn


def test_same_bytes_as_seaborn(tmp_path: Path) -> None:
    with style():
        ours, theirs = (
            save(figure, tmp_path, "cells", "cells", png=False)
            for figure in (with_ours(), with_seaborn())
        )
    assert "0." in ours
    assert ours == theirs
