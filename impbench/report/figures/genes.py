"""Scatter genes: expression before an imputation against after it."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import TICKDOWN
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from impbench.page_figure import figure
from impbench.report.figures.cells import MAX_POINTS, pictures_of
from impbench.report.figures.drawing import blank, panel
from impbench.report.figures.palette import FAINT, SOFT
from impbench.report.figures.scene import Picture, Scene
from impbench.report.text import plain, shorten

MAX_ROWS = 8
"""Imputers per dataset whose genes are drawn."""

PITCH = 1.4
"""From gene to gene, where one gene's values span 0 to 1 and its zeros a band left of that."""

ROW = 1.1
"""Inches of a row of genes."""

KINDS = {
    "observed above zero": "#4477AA",
    "dropout (true value above zero)": "#D55E00",
    "true zero": "#009E73",
    "observed zero": "#D55E00",
}


@figure(
    "genes",
    title="Genes",
    caption=lambda scene: (
        "Four genes that vary much and have many zeros, first seed: imputed against observed log2 "
        "expression. On the diagonal, observed values are kept. Left of the line: what becomes of "
        "observed zeros"
        + "; dropouts should rise, true zeros should stay"
        * scene.run.datasets[scene.dataset].simulated
        + "."
    ),
    per="dataset",
)
def genes(scene: Scene) -> Figure | None:
    """Imputed against observed values of four genes, one row of panels per imputer."""
    run = scene.run
    found = pictures_of(scene)
    # Of a method that gives only an embedding there are none.
    drawable = [name for name in found if "imputed" in found[name]]
    rows = [name for name in drawable if name in run.methods or name == run.formula]
    if not rows:
        return None
    if len(rows) > MAX_ROWS:
        scene.leave_out(f"genes are drawn for the {MAX_ROWS} best-ranked of {len(rows)} imputers")
    pictures = {scene.looks[name].label: found[name] for name in rows[:MAX_ROWS]}
    names = [plain(gene) for gene in next(iter(pictures.values()))["gene_names"]]
    has_truth = all("truth" in picture for picture in pictures.values())
    # log2 values of all genes share one scale, so a row of panels can share one pair of axes.
    x_top, y_top = (
        max(1.0, *(float(picture[what].max()) for picture in pictures.values()))
        for what in ("observed", "imputed")
    )
    left, width, step = 2.25, 1.75 * len(names) - 0.15, ROW + 0.14
    drawn = blank(left + width + 0.25, 0.75 + len(pictures) * step)
    ticks = [float(value) for value in MaxNLocator(4).tick_values(0, x_top) if 0 < value <= x_top]
    for row, (imputer, picture) in enumerate(pictures.items()):
        axes = panel(drawn, left, 0.28 + row * step, width, ROW)
        _row(axes, picture, len(names), x_top, has_truth)
        axes.set(xlim=(-0.3, len(names) * PITCH - 0.38), ylim=(-0.06 * y_top, 1.06 * y_top))
        _ticks(axes, ticks, len(names), x_top, labelled=row == len(pictures) - 1)
        at = axes.get_yaxis_transform()
        axes.text(-0.35 / width, y_top / 2, imputer, transform=at, ha="right", va="center")
        for column, gene in enumerate(names if row == 0 else []):
            axes.text(column * PITCH, 1.1 * y_top, shorten(gene, 20), fontweight="bold")
    _legend(drawn, has_truth)
    drawn.set_label(
        f"Imputed against observed log2 expression of {len(names)} genes of "
        f"{run.datasets[scene.dataset].title}"
    )
    return drawn


def _row(axes: Axes, picture: Picture, n_genes: int, top: float, has_truth: bool) -> None:
    """Draw every gene at its place in the row; observed values 0 to `top` become 0 to 1."""
    rows = np.random.default_rng(0).permutation(len(picture["observed"]))[:MAX_POINTS]
    starts = np.arange(n_genes) * PITCH
    segments: dict[str, Any] = {"color": SOFT, "zorder": 1}
    axes.plot([starts, starts + 1], [0, top], linewidth=0.7, **segments)
    axes.hlines(np.zeros(n_genes), starts - 0.3, starts + 1.02, linewidth=0.6, **segments)
    axes.vlines(starts - 0.02, 0, top, color=FAINT, linewidth=0.8, zorder=1)
    xs, colours = [], []
    for gene, start in enumerate(starts):
        observed = np.asarray(picture["observed"], dtype=float)[rows, gene]
        kinds, x = _kinds(observed / top, picture, rows, gene, has_truth)
        xs.append(start + x)
        colours += [KINDS[kind] for kind in kinds]
    axes.scatter(
        np.concatenate(xs),
        np.asarray(picture["imputed"], dtype=float)[rows, :n_genes].T.ravel(),
        s=4,
        c=colours,
        linewidths=0,
        alpha=0.5,
        rasterized=True,
        zorder=2,
    )


def _ticks(axes: Axes, values: list[float], n_genes: int, top: float, labelled: bool) -> None:
    """Mark zero, whose points are spread over a band, and `values` below every gene."""
    at = np.array([-0.15, *(value / top for value in values)])
    places = (PITCH * np.arange(n_genes)[:, None] + at).ravel()
    texts = ["0", *(f"{value:g}" for value in values)] * n_genes
    if labelled:
        axes.set_xticks(places, texts)
    else:
        # Marks alone: a tick is five artists.
        axes.set_xticks([])
        marks: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "clip_on": False}
        marks |= {"marker": TICKDOWN, "markersize": rcParams["xtick.major.size"]}
        marks |= {"markeredgewidth": rcParams["xtick.major.width"], "color": SOFT}
        axes.plot(places, np.zeros_like(places), linestyle="", **marks)
    axes.locator_params(axis="y", nbins=4)
    axes.tick_params(labelsize=7, pad=1.5)
    axes.spines["bottom"].set_visible(False)


def _kinds(
    observed: NDArray[Any], picture: Picture, rows: NDArray[Any], gene: int, has_truth: bool
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Name the kind of each entry, and spread the zeros over a band left of the axis."""
    zero = observed == 0
    kinds = np.where(zero, "observed zero", "observed above zero").astype(object)
    low, high = np.full(len(observed), -0.28), np.full(len(observed), -0.04)
    if has_truth:
        lost = np.asarray(picture["truth"], dtype=float)[rows, gene] > 0
        kinds[zero & lost], kinds[zero & ~lost] = "dropout (true value above zero)", "true zero"
        low[lost], high[~lost] = -0.15, -0.17
    spread = np.random.default_rng(1).uniform(low, high)
    return kinds, np.where(zero, spread, observed)


def _legend(drawn: Figure, has_truth: bool) -> None:
    kinds = ["observed above zero", "observed zero"]
    if has_truth:
        kinds = ["true zero", "dropout (true value above zero)", "observed above zero"]
    handles = [Line2D([], [], linestyle="", marker="o", color=KINDS[kind]) for kind in kinds]
    drawn.legend(handles, kinds, loc="lower center", ncols=3, handletextpad=0.1, borderaxespad=0.1)
    drawn.text(0.02, 0.005, "x: observed, y: imputed (log2)", fontsize=7.5, va="bottom")
