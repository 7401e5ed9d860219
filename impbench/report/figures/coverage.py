"""Calibration: the share of the truth that stated intervals hold, against what they promise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from impbench.metrics.coverage import LEVELS
from impbench.page_figure import figure
from impbench.report.analysis.run import Run
from impbench.report.figures.drawing import WIDTH, blank, name_looks, panel
from impbench.report.figures.palette import SOFT, Look
from impbench.report.figures.scene import Scene
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


def states_intervals(scene: Scene) -> bool:
    """Whether any imputer's intervals were scored by the protocol."""
    return any(
        observed_coverage(scene.run, dataset, scene.protocol, imputer) is not None
        for dataset in scene.run.datasets_of(scene.protocol)
        for imputer in scene.run.imputers
    )


@figure(
    "coverage",
    title="Observed and nominal coverage",
    caption="How many of the true values lie in the central interval that a method's standard "
    "deviations give, against how many the interval promises to hold (50, 90 and 95 %): mean over "
    "seeds, whiskers ± one standard deviation. On the diagonal, stated uncertainties are as large "
    "as the errors; below it they are too small. The entries are a random sample, and the interval "
    "includes the chance of counting where the truth is counted molecules; a method on the "
    "diagonal may still be inaccurate, with wide intervals.",
    per="protocol",
)
def coverage(scene: Scene) -> Figure | None:
    """Observed against nominal coverage, a panel per dataset, a line per imputer.

    At most `MAX_DATASETS` datasets, the first of the plan. None where no imputer has intervals.
    """
    run, asked = scene.run, scene.ordered
    lines: dict[str, dict[str, NDArray[np.float64]]] = {}
    for dataset in run.datasets_of(scene.protocol):
        found = {item: observed_coverage(run, dataset, scene.protocol, item) for item in asked}
        known = {item: shares for item, shares in found.items() if shares is not None}
        if known and len(lines) < MAX_DATASETS:
            lines[dataset] = known
    if not lines:
        return None
    names = [item for item in asked if any(item in known for known in lines.values())]
    n_columns = min(COLUMNS, len(lines))
    step = (WIDTH - LEGEND) / COLUMNS
    drawn = blank(
        n_columns * step + LEGEND,
        max(math.ceil(len(lines) / n_columns) * (SIDE + 0.75) + 0.05, 0.9 + 0.2 * len(names)),
    )
    lowest = min(float(shares.min()) for known in lines.values() for shares in known.values())
    for i, (dataset, known) in enumerate(lines.items()):
        row, column = divmod(i, n_columns)
        axes = panel(drawn, 0.6 + column * step, row * (SIDE + 0.75) + 0.3, SIDE - 0.3, SIDE)
        _frame(axes, min(0.4, lowest - 0.05))
        for item, shares in known.items():
            _line(axes, shares, scene.looks[item])
        axes.set_title(shorten(run.datasets[dataset].title, 24))
        axes.set_xlabel("nominal coverage, %")
        axes.set_ylabel("observed, %" if column == 0 else "")
    entries = {scene.looks[item].label: scene.looks[item] for item in names}
    silent = len(asked) - len(names)
    note = f"{counted(silent, 'imputer')} without\nintervals not drawn" if silent else None
    name_looks(drawn, entries, LEGEND - 0.05, title=note)
    drawn.set_label(
        f"Observed against nominal coverage of intervals, {counted(len(names), 'imputer')}"
    )
    return drawn


def _frame(axes: Axes, lowest: float) -> None:
    """Draw the diagonal and say what its sides mean."""
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, dashes=(3, 2), zorder=1)
    axes.set(xlim=(0.45, 1), ylim=(max(0, lowest), 1.01))
    axes.set_xticks(LEVELS)
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}")
    axes.grid()
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
