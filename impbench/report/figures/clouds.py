"""Maps of the cells after each imputation, and genes before against after."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from impbench.report.figures.drawing import WIDTH, Drawing, blank, panel, save
from impbench.report.figures.palette import FAINT, GROUP_COLOURS, INK, SOFT
from impbench.report.figures.words import add_words
from impbench.report.text import plain, shorten

Picture = Mapping[str, NDArray[Any]]

MAP_COLUMNS = 6
PITCH = 1.4
"""From gene to gene, where one gene's values span 0 to 1 and its zeros a band left of that."""

ROW = 1.1
"""Inches of a row of genes."""

MAX_GROUPS = 24
"""Cell types named in the legend."""

LEGEND_COLUMNS = 5

MAX_POINTS = 500
"""Cells per panel; a sample tells as much and keeps the page small."""

KINDS = {
    "observed above zero": "#4477AA",
    "dropout (true value above zero)": "#D55E00",
    "true zero": "#009E73",
    "observed zero": "#D55E00",
}


def draw_maps(
    pictures: Mapping[str, tuple[str, Picture]], title: str, folder: Path, name: str
) -> Drawing:
    """Draw one map per imputer, cells coloured by label.

    Parameters
    ----------
    pictures
        Imputer → (second line of the panel's title, picture), in the order to show.
    title
        Of the dataset, for the description.
    """
    groups = _groups([picture for _, picture in pictures.values()])
    colours = {group: GROUP_COLOURS[i % len(GROUP_COLOURS)] for i, group in enumerate(groups)}
    n_columns = min(MAP_COLUMNS, len(pictures))
    n_rows = math.ceil(len(pictures) / n_columns)
    size = (WIDTH - 0.1) / MAP_COLUMNS
    side, step = size - 0.12, size + 0.3
    legend_rows = math.ceil(min(len(groups), MAX_GROUPS + 1) / LEGEND_COLUMNS)
    legend = 0.12 + 0.2 * legend_rows if groups else 0.0
    width = max(n_columns * size, LEGEND_COLUMNS * size if groups else 0) + 0.1
    height = n_rows * step + legend + 0.05
    figure = blank(width, height)
    # One pair of axes in inches holds every map: one cloud of points is drawn in place of thirty.
    axes = panel(figure, 0, 0, width, height)
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    points, tints = [], []
    for i, (imputer, (note, picture)) in enumerate(pictures.items()):
        row, column = divmod(i, n_columns)
        left, top = 0.05 + column * size, row * step + 0.36
        frame = Rectangle((left, top), side, side, fill=False, edgecolor=FAINT, linewidth=0.8)
        axes.add_patch(frame)
        axes.text(left, top - 0.19, imputer, fontweight="bold", fontsize=7.5)
        axes.text(left, top - 0.05, note, fontsize=7, color=SOFT)
        points.append(np.array([left, top]) + side * _unit_square(picture["map"][:MAX_POINTS]))
        tints += _tints(picture, colours)[:MAX_POINTS]
    cloud = np.concatenate(points)
    axes.scatter(cloud[:, 0], cloud[:, 1], s=4, c=tints, linewidths=0, alpha=0.75, rasterized=True)
    if groups:
        _legend(figure, colours)
    alt = f"First two principal components of {title} after each of {len(pictures)} imputations"
    return save(figure, folder, name, alt)


def draw_genes(pictures: Mapping[str, Picture], title: str, folder: Path, name: str) -> Drawing:
    """Draw imputed against observed values of four genes, one row of panels per imputer."""
    first = next(iter(pictures.values()))
    genes = [plain(gene) for gene in first["gene_names"]]
    has_truth = all("truth" in picture for picture in pictures.values())
    # log2 values of all genes share one scale, so a row of panels can share one pair of axes.
    x_top, y_top = (
        max(1.0, *(float(picture[what].max()) for picture in pictures.values()))
        for what in ("observed", "imputed")
    )
    left, width, height = 1.95, 1.75, ROW
    figure = blank(left + len(genes) * width + 0.1, 0.75 + len(pictures) * (height + 0.14))
    for row, (imputer, picture) in enumerate(pictures.items()):
        axes = panel(figure, left, 0.28 + row * (height + 0.14), len(genes) * width - 0.15, height)
        _row(axes, picture, len(genes), x_top, has_truth)
        axes.set_xlim(-0.3, len(genes) * PITCH - 0.38)
        axes.set_ylim(-0.06 * y_top, 1.06 * y_top)
        axes.locator_params(axis="y", nbins=4)
        axes.tick_params(labelsize=7, pad=1.5)
        axes.spines["bottom"].set_visible(False)
        _gene_ticks(axes, len(genes), x_top, y_top, labelled=row == len(pictures) - 1)
        axes.text(
            -0.35 / (len(genes) * width - 0.15),
            0.5,
            imputer,
            transform=axes.transAxes,
            ha="right",
            va="center",
            fontweight="bold",
        )
        if row == 0:
            for column, gene in enumerate(genes):
                axes.text(column * PITCH, 1.1 * y_top, shorten(gene, 20), fontweight="bold")
    _kinds_legend(figure, has_truth)
    alt = f"Imputed against observed log2 expression of {len(genes)} genes of {title}"
    return save(figure, folder, name, alt)


def _unit_square(points: NDArray[Any]) -> NDArray[np.float64]:
    """Scale both coordinates to 0.05 to 0.95, upwards as on a plot."""
    points = np.asarray(points, dtype=float)
    low, high = points.min(axis=0), points.max(axis=0)
    unit = (points - low) / np.where(high > low, high - low, 1.0)
    return 0.05 + 0.9 * np.column_stack([unit[:, 0], 1 - unit[:, 1]])


def _tints(picture: Picture, colours: dict[str, str]) -> list[str]:
    if "labels" not in picture:
        return [SOFT] * len(picture["map"])
    return [colours[str(label)] for label in picture["labels"]]


def _groups(pictures: list[Picture]) -> list[str]:
    labels = [picture["labels"] for picture in pictures if "labels" in picture]
    return [str(group) for group in np.unique(np.concatenate(labels))] if labels else []


def _legend(figure: Any, colours: dict[str, str]) -> None:
    named = _row_major(list(colours)[:MAX_GROUPS], LEGEND_COLUMNS)
    handles = [
        Line2D([], [], linestyle="", marker="o", color=colours[group], markersize=5)
        for group in named
    ]
    texts = [shorten(plain(group), 22) for group in named]
    if len(colours) > MAX_GROUPS:
        handles.append(Line2D([], [], linestyle=""))
        texts.append(f"and {len(colours) - MAX_GROUPS} more")
    figure.legend(
        handles,
        texts,
        loc="lower left",
        bbox_to_anchor=(0, 0),
        ncols=LEGEND_COLUMNS,
        columnspacing=1.2,
        handletextpad=0.1,
        borderaxespad=0.2,
    )


def _row_major(items: list[str], n_columns: int) -> list[str]:
    """Reorder so that a legend, which matplotlib fills by column, reads along its rows."""
    n_columns = min(n_columns, len(items))
    return [item for column in range(n_columns) for item in items[column::n_columns]]


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
    imputed = np.asarray(picture["imputed"], dtype=float)[rows, :n_genes].T.ravel()
    axes.scatter(
        np.concatenate(xs),
        imputed,
        s=4,
        c=colours,
        linewidths=0,
        alpha=0.5,
        rasterized=True,
        zorder=2,
    )


def _gene_ticks(axes: Axes, n_genes: int, top: float, y_top: float, labelled: bool) -> None:
    """Draw ticks below every gene; an axis would spend more time on them than on the points."""
    values = [value for value in MaxNLocator(4).tick_values(0, top) if 0 < value <= top]
    at = [
        start * PITCH + x for start in range(n_genes) for x in (-0.15, *(v / top for v in values))
    ]
    low, point = -0.06 * y_top, 1.12 * y_top / (72 * ROW)
    axes.set_xticks([])
    axes.vlines(at, low - 2.5 * point, low, color=SOFT, linewidth=0.6, clip_on=False)
    if labelled:
        texts = ["0", *(f"{value:g}" for value in values)] * n_genes
        add_words(axes, at, low - 5 * point, texts, SOFT, ha="center", va="top", fontsize=7)


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


def _kinds_legend(figure: Any, has_truth: bool) -> None:
    kinds = ["observed above zero", "observed zero"]
    if has_truth:
        kinds = ["true zero", "dropout (true value above zero)", "observed above zero"]
    handles = [
        Line2D([], [], linestyle="", marker="o", color=KINDS[kind], markersize=5) for kind in kinds
    ]
    figure.legend(handles, kinds, loc="lower center", ncols=3, handletextpad=0.1, borderaxespad=0.1)
    figure.text(0.02, 0.005, "x: observed, y: imputed (log2)", color=INK, fontsize=7.5, va="bottom")
