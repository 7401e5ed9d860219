"""Calibration: the share of the truth that stated intervals hold, against what they promise."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from impbench.metrics.coverage import LEVELS
from impbench.report.analysis.run import Run
from impbench.report.analysis.tables import order
from impbench.report.figures.drawing import WIDTH, Drawing, blank, panel, save
from impbench.report.figures.palette import FAINT, INK, SOFT, Look
from impbench.report.text import counted, shorten

COLUMNS = 3
MAX_DATASETS = 6
SIDE = 2.3
LEGEND = 2.2


def observed_coverage(
    run: Run, dataset: str, protocol: str, imputer: str
) -> NDArray[np.float64] | None:
    """Return the share of entries in the interval of each of `LEVELS`, (levels, seeds).

    The error of a coverage c is |c − p| and what it lacks m = max(0, p − c), so c is the level p
    plus the error minus 2m. None where no seed has intervals.
    """
    shares = []
    for level in LEVELS:
        name = f"coverage-{round(100 * level)}"
        error = run.by_seed.get((dataset, protocol, name, imputer))
        missing = run.by_seed.get((dataset, protocol, f"under{name}", imputer))
        if error is None or missing is None:
            return None
        shares.append(level + error - 2 * missing)
    found = np.array(shares)
    known = found[:, ~np.isnan(found).any(axis=0)]
    return known if known.size else None


def draw_coverage(
    run: Run,
    summary: pd.DataFrame,
    looks: dict[str, Look],
    protocol: str,
    folder: Path,
    name: str,
) -> Drawing | None:
    """Draw observed against nominal coverage, a panel per dataset, a line per imputer.

    At most `MAX_DATASETS` datasets, the first of the plan. None where no imputer has intervals.
    """
    asked = order(run, summary, protocol)
    lines: dict[str, dict[str, NDArray[np.float64]]] = {}
    for dataset in run.datasets_of(protocol):
        found = {item: observed_coverage(run, dataset, protocol, item) for item in asked}
        if any(shares is not None for shares in found.values()):
            lines[dataset] = {item: s for item, s in found.items() if s is not None}
    if not lines:
        return None
    shown = list(lines)[:MAX_DATASETS]
    names = [item for item in asked if any(item in lines[dataset] for dataset in shown)]
    n_columns = min(COLUMNS, len(shown))
    step = (WIDTH - LEGEND) / COLUMNS
    figure = blank(
        n_columns * step + LEGEND,
        max(math.ceil(len(shown) / n_columns) * (SIDE + 0.75) + 0.05, 0.9 + 0.2 * len(names)),
    )
    lowest = min(float(s.min()) for dataset in shown for s in lines[dataset].values())
    for i, dataset in enumerate(shown):
        row, column = divmod(i, n_columns)
        axes = panel(figure, 0.6 + column * step, row * (SIDE + 0.75) + 0.3, SIDE - 0.3, SIDE)
        _frame(axes, min(0.4, lowest - 0.05))
        for item in names:
            if item in lines[dataset]:
                _line(axes, lines[dataset][item], looks[item])
        axes.set_title(shorten(run.datasets[dataset].title, 24))
        axes.set_xlabel("nominal coverage, %")
        axes.set_ylabel("observed, %" if column == 0 else "")
    handles = [Line2D([], [], marker=looks[n].marker, color=looks[n].colour, ms=5) for n in names]
    handles.append(Line2D([], [], color=SOFT, linewidth=0.8, dashes=(3, 2)))
    left = 1 - (LEGEND - 0.05) / figure.get_size_inches()[0]
    legend = figure.legend(
        handles,
        [*(looks[item].label for item in names), "perfect"],
        loc="upper left",
        bbox_to_anchor=(left, 1),
        labelspacing=0.45,
    )
    silent = len(asked) - len(names)
    if silent:
        legend.set_title(f"{counted(silent, 'imputer')} without\nintervals not drawn")
        legend.get_title().set(color=SOFT, fontsize=7.5)
    alt = f"Observed against nominal coverage of intervals, {counted(len(names), 'imputer')}"
    return save(figure, folder, name, alt)


def _frame(axes: Axes, lowest: float) -> None:
    """Draw the diagonal and say what its sides mean."""
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, dashes=(3, 2), zorder=1)
    axes.set(xlim=(0.45, 1), ylim=(max(0, lowest), 1.01))
    axes.set_xticks(LEVELS)
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}")
    axes.grid(color=FAINT)
    axes.tick_params(colors=SOFT, labelcolor=INK)
    note: dict[str, Any] = {"transform": axes.transAxes, "color": SOFT, "fontsize": 7}
    axes.text(0.03, 0.97, "intervals too wide", va="top", **note)
    axes.text(0.97, 0.03, "too narrow", ha="right", **note)


def _line(axes: Axes, shares: NDArray[np.float64], look: Look) -> None:
    axes.errorbar(
        LEVELS,
        shares.mean(axis=1),
        yerr=shares.std(axis=1, ddof=1) if shares.shape[1] > 1 else None,
        color=look.colour,
        marker=look.marker,
        markersize=4.5,
        linewidth=1.4,
        elinewidth=0.8,
        alpha=0.85,
        zorder=3,
    )
