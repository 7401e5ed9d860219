"""Maps of the cells after each imputation, and genes before against after."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from impbench.report.drawing import WIDTH, Drawing, blank, panel, save
from impbench.report.palette import FAINT, GROUP_COLOURS, INK, SOFT
from impbench.report.text import plain, shorten

Picture = Mapping[str, NDArray[Any]]

MAP_COLUMNS = 6
MAX_GROUPS = 24
"""Cell types named in the legend."""

MAX_POINTS = 500
"""Cells per gene panel; a sample tells as much and keeps the page small."""

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
    shown = list(pictures)
    groups = _groups([picture for _, picture in pictures.values()])
    colours = {group: GROUP_COLOURS[i % len(GROUP_COLOURS)] for i, group in enumerate(groups)}
    n_columns = min(MAP_COLUMNS, len(shown))
    n_rows = math.ceil(len(shown) / n_columns)
    size = (WIDTH - 0.1) / MAP_COLUMNS
    legend_rows = math.ceil(min(len(groups), MAX_GROUPS + 1) / 5)
    legend = 0.12 + 0.2 * legend_rows if groups else 0.0
    step = size + 0.3
    width = max(n_columns * size, 5 * size if groups else 0) + 0.1
    figure = blank(width, n_rows * step + legend + 0.05)
    for i, imputer in enumerate(shown):
        row, column = divmod(i, n_columns)
        axes = panel(
            figure, 0.05 + column * size, row * step + 0.36, size - 0.12, size - 0.12
        )
        note, picture = pictures[imputer]
        _map(axes, picture, colours)
        axes.set_title(shorten(imputer, 24), fontsize=8, pad=12)
        axes.text(0, 1.015, note, transform=axes.transAxes, fontsize=7, color=SOFT, va="bottom")
    if groups:
        _legend(figure, colours)
    alt = f"First two principal components of {title} after each of {len(shown)} imputations"
    return save(figure, folder, name, alt)


def draw_genes(pictures: Mapping[str, Picture], title: str, folder: Path, name: str) -> Drawing:
    """Draw imputed against observed values of four genes, one row of panels per imputer."""
    shown = list(pictures)
    first = next(iter(pictures.values()))
    genes = [plain(gene) for gene in first["gene_names"]]
    has_truth = all("truth" in picture for picture in pictures.values())
    size, left = 1.5, 1.95
    figure = blank(left + len(genes) * (size + 0.2) + 0.1, 0.62 + len(shown) * (size * 0.72 + 0.16))
    for row, imputer in enumerate(shown):
        picture = pictures[imputer]
        for column, gene in enumerate(genes):
            axes = panel(
                figure,
                left + column * (size + 0.2),
                0.3 + row * (size * 0.72 + 0.16),
                size,
                size * 0.72,
            )
            _gene(axes, picture, column, has_truth)
            if row == 0:
                axes.set_title(shorten(gene, 20), fontsize=8)
            if row < len(shown) - 1:
                axes.set_xticklabels([])
            if column == 0:
                axes.text(
                    -0.24,
                    0.5,
                    shorten(imputer, 26),
                    transform=axes.transAxes,
                    ha="right",
                    va="center",
                    fontweight="bold",
                )
    _kinds_legend(figure, has_truth)
    alt = f"Imputed against observed log2 expression of {len(genes)} genes of {title}"
    return save(figure, folder, name, alt)


def _groups(pictures: list[Picture]) -> list[str]:
    labels = [picture["labels"] for picture in pictures if "labels" in picture]
    return [str(group) for group in np.unique(np.concatenate(labels))] if labels else []


def _map(axes: Axes, picture: Picture, colours: dict[str, str]) -> None:
    points = np.asarray(picture["map"], dtype=float)
    labels = picture.get("labels")
    tint = [colours[str(label)] for label in labels] if labels is not None else SOFT
    axes.scatter(points[:, 0], points[:, 1], s=4, c=tint, linewidths=0, alpha=0.75, rasterized=True)
    axes.set(xticks=[], yticks=[])
    axes.margins(0.06)
    for spine in axes.spines.values():
        spine.set(visible=True, color=FAINT, linewidth=0.8)


def _legend(figure: Any, colours: dict[str, str]) -> None:
    named = list(colours)[:MAX_GROUPS]
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
        ncols=5,
        columnspacing=1.2,
        handletextpad=0.1,
        borderaxespad=0.2,
    )


def _gene(axes: Axes, picture: Picture, gene: int, has_truth: bool) -> None:
    rows = np.random.default_rng(0).permutation(len(picture["observed"]))[:MAX_POINTS]
    observed = np.asarray(picture["observed"], dtype=float)[rows, gene]
    imputed = np.asarray(picture["imputed"], dtype=float)[rows, gene]
    kinds, x = _kinds(observed, picture, rows, gene, has_truth)
    top = max(1.0, float(observed.max()))
    axes.plot([0, top], [0, top], color=SOFT, linewidth=0.7, zorder=1)
    for kind in dict.fromkeys(kinds):
        mine = kinds == kind
        axes.scatter(
            x[mine], imputed[mine], s=4, color=KINDS[kind], linewidths=0, alpha=0.5, rasterized=True
        )
    axes.set_xlim(-0.3 * top, 1.06 * top)
    axes.axvline(-0.02 * top, color=FAINT, linewidth=0.8)
    axes.locator_params(nbins=4)
    ticks = [tick for tick in axes.get_xticks() if 0 < tick <= top]
    axes.set_xticks([-0.15 * top, *ticks], ["0", *(f"{tick:g}" for tick in ticks)])
    axes.tick_params(labelsize=6.5, pad=1.5)


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
    spread = np.random.default_rng(1).uniform(low, high) * max(1.0, float(observed.max()))
    return kinds, np.where(zero, spread, observed)


def _kinds_legend(figure: Any, has_truth: bool) -> None:
    kinds = ["observed above zero", "observed zero"]
    if has_truth:
        kinds = ["true zero", "dropout (true value above zero)", "observed above zero"]
    handles = [
        Line2D([], [], linestyle="", marker="o", color=KINDS[kind], markersize=5) for kind in kinds
    ]
    figure.legend(
        handles, kinds, loc="lower center", ncols=3, handletextpad=0.1, borderaxespad=0.1
    )
    figure.text(0.02, 0.005, "x: observed, y: imputed (log2)", color=INK, fontsize=7.5, va="bottom")
