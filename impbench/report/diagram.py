"""The critical-difference diagram: mean ranks on a line, joined where Nemenyi tells none apart."""

from __future__ import annotations

from pathlib import Path

import scikit_posthocs

from impbench.report.drawing import WIDTH, Drawing, blank, panel, save
from impbench.report.numbers import fixed
from impbench.report.palette import INK, Look
from impbench.report.run import Run
from impbench.report.statistics import ALPHA, Comparison
from impbench.report.text import shorten

CONTROL_INK = "#5b616b"


def draw_diagram(
    run: Run, comparison: Comparison, looks: dict[str, Look], folder: Path, name: str
) -> Drawing | None:
    """Draw the ranks of a comparison; None where nothing was tested."""
    if comparison.mean_ranks is None or comparison.nemenyi is None:
        return None
    # Two names may become one when shortened, and the labels are the keys here.
    labels = {imputer: shorten(imputer, 34) for imputer in comparison.imputers}
    if len(set(labels.values())) < len(labels):
        labels = {imputer: imputer for imputer in comparison.imputers}
    ranks = comparison.mean_ranks.rename(labels)
    p_values = comparison.nemenyi.rename(index=labels, columns=labels)
    colours = {
        labels[imputer]: CONTROL_INK if looks[imputer].is_control else looks[imputer].colour
        for imputer in comparison.imputers
    }
    height = 1.0 + 0.16 * len(ranks)
    figure = blank(WIDTH, height)
    axes = panel(figure, 2.7, 0.55, WIDTH - 5.4, height - 0.65)
    scikit_posthocs.critical_difference_diagram(
        ranks,
        p_values,
        alpha=ALPHA,
        ax=axes,
        label_fmt_left="{label}  {rank:.2f}",
        label_fmt_right="{rank:.2f}  {label}",
        label_props={"fontsize": 8},
        marker_props={"s": 18},
        elbow_props={"linewidth": 0.9},
        crossbar_props={"color": INK, "linewidth": 2.2},
        color_palette=colours,
        text_h_margin=0.15,
    )
    axes.set_xlim(1, len(ranks))
    difference = comparison.critical_difference
    figure_left = 0.96
    axes.annotate(
        f"critical difference {fixed(difference, 2)}",
        (1, 1),
        xycoords=("data", "axes fraction"),
        xytext=(0, 32),
        textcoords="offset points",
        fontsize=8,
    )
    axes.plot(
        [1, 1 + difference],
        [figure_left, figure_left],
        transform=axes.get_xaxis_transform(),
        color=INK,
        linewidth=0,
    )
    metric = run.metrics[comparison.metric].title
    alt = (
        f"Critical-difference diagram of mean ranks by {metric} over {comparison.n_datasets} "
        f"datasets; best is {ranks.index[0]}"
    )
    return save(figure, folder, name, alt)
