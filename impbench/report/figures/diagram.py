"""The critical-difference diagram: mean ranks on a line, joined where Nemenyi tells none apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from impbench.report.analysis.run import Run
from impbench.report.analysis.statistics import ALPHA, Comparison
from impbench.report.figures.drawing import WIDTH, Drawing, blank, panel, save
from impbench.report.figures.palette import INK, Look
from impbench.report.numbers import fixed

CONTROL_INK = "#5b616b"
LABELS = 2.7
ROW = 0.17


def draw_diagram(
    run: Run, comparison: Comparison, looks: dict[str, Look], folder: Path, name: str
) -> Drawing | None:
    """Draw the ranks of a comparison; None where nothing was tested."""
    if comparison.mean_ranks is None or comparison.nemenyi is None:
        return None
    import scikit_posthocs

    labels = {imputer: looks[imputer].label for imputer in comparison.imputers}
    ranks = comparison.mean_ranks.rename(labels)
    p_values = comparison.nemenyi.rename(index=labels, columns=labels)
    colours = {
        labels[imputer]: CONTROL_INK if looks[imputer].is_control else looks[imputer].colour
        for imputer in comparison.imputers
    }
    figure = blank(WIDTH, 1)
    axes = panel(figure, LABELS, 0, WIDTH - 2 * LABELS, 1)
    scikit_posthocs.critical_difference_diagram(
        ranks,
        p_values,
        alpha=ALPHA,
        ax=axes,
        label_fmt_left="{label}  {rank:.2f}\u00a0",
        label_fmt_right="\u00a0{rank:.2f}  {label}",
        label_props={"fontsize": 8},
        marker_props={"s": 18},
        elbow_props={"linewidth": 0.9},
        crossbar_props={"color": INK, "linewidth": 2.2},
        color_palette=colours,
        text_h_margin=0.015 * len(ranks),
    )
    _scale_bar(axes, comparison.critical_difference)
    axes.set_xlim(1, len(ranks))
    for artist in axes.get_children():
        artist.set_clip_on(False)
    # Elbows and crossbars stand one unit apart; how many there are is known only now.
    low, high = axes.get_ylim()[0] - 0.5, 4.2
    axes.set_ylim(low, high)
    figure.set_size_inches(WIDTH, ROW * (high - low))
    axes.set_position((LABELS / WIDTH, 0, 1 - 2 * LABELS / WIDTH, 1))
    metric = run.metrics[comparison.metric].title
    alt = (
        f"Critical-difference diagram of mean ranks by {metric} over {comparison.n_datasets} "
        f"datasets; best is {ranks.index[0]}"
    )
    return save(figure, folder, name, alt)


def _scale_bar(axes: Axes, difference: float) -> None:
    """Draw the critical difference above the ranks, to scale."""
    bar: dict[str, Any] = {"color": INK, "linewidth": 1.2, "clip_on": False}
    axes.plot([1, 1 + difference], [2.3, 2.3], **bar)
    for end in (1, 1 + difference):
        axes.plot([end, end], [2.1, 2.5], **bar)
    text = f"critical difference {fixed(difference, 2)}"
    axes.text(1, 2.9, text, fontsize=8, va="bottom")
