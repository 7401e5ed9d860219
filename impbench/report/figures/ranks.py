"""The critical-difference diagram: mean ranks on a line, joined where Nemenyi tells none apart."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from impbench.page_figure import figure
from impbench.report.analysis.statistics import ALPHA
from impbench.report.figures.drawing import WIDTH, blank, panel
from impbench.report.figures.palette import INK
from impbench.report.figures.scene import Scene
from impbench.report.numbers import fixed

CONTROL_INK = "#5b616b"
LABELS = 2.7
ROW = 0.17


@figure(
    "ranks",
    title="Critical differences",
    caption="Mean ranks, best on the left. Imputers joined by a bar are not told apart by "
    f"Nemenyi's test at {ALPHA}.",
    per="protocol",
    section="statistics",
)
def ranks(scene: Scene) -> Figure | None:
    """Mean ranks of a protocol on a line, joined where a test tells none apart."""
    tested = [test for test in scene.comparisons if test.protocol == scene.protocol]
    if not tested or tested[0].mean_ranks is None or tested[0].nemenyi is None:
        return None
    import scikit_posthocs

    test, mean_ranks = tested[0], tested[0].mean_ranks.sort_values()
    looks = [scene.looks[imputer] for imputer in mean_ranks.index]
    # Places stand for names, which would be drawn in the order of their hashes: another each time.
    places = {imputer: place for place, imputer in enumerate(mean_ranks.index)}
    drawn = blank(WIDTH, 1)
    axes = panel(drawn, LABELS, 0, WIDTH - 2 * LABELS, 1)
    artists = scikit_posthocs.critical_difference_diagram(
        mean_ranks.rename(places),
        tested[0].nemenyi.rename(index=places, columns=places),
        alpha=ALPHA,
        ax=axes,
        label_fmt_left="{label}",
        label_fmt_right="{label}",
        label_props={"fontsize": 8},
        marker_props={"s": 18},
        elbow_props={"linewidth": 0.9},
        crossbar_props={"color": INK, "linewidth": 2.2},
        color_palette={
            place: CONTROL_INK if look.is_control else look.colour
            for place, look in enumerate(looks)
        },
        text_h_margin=0.015 * len(mean_ranks),
    )
    for text in artists["labels"]:
        place = int(text.get_text())
        name, rank = looks[place].label, fixed(mean_ranks.iloc[place], 2)
        at_left = text.get_ha() == "right"
        text.set_text(f"{name}  {rank}\u00a0" if at_left else f"\u00a0{rank}  {name}")
    _scale_bar(axes, test.critical_difference)
    axes.set_xlim(1, len(mean_ranks))
    for artist in axes.get_children():
        artist.set_clip_on(False)
    # Elbows and crossbars stand one unit apart; how many there are is known only now.
    low, high = axes.get_ylim()[0] - 0.5, 4.2
    axes.set_ylim(low, high)
    drawn.set_size_inches(WIDTH, ROW * (high - low))
    axes.set_position((LABELS / WIDTH, 0, 1 - 2 * LABELS / WIDTH, 1))
    drawn.set_label(
        f"Critical-difference diagram of mean ranks by {scene.run.metrics[test.metric].title} over "
        f"{test.n_datasets} datasets; best is {mean_ranks.index[0]}"
    )
    return drawn


def _scale_bar(axes: Axes, difference: float) -> None:
    """Draw the critical difference above the ranks, to scale."""
    bar: dict[str, Any] = {"color": INK, "linewidth": 1.2, "clip_on": False}
    axes.plot([1, 1 + difference], [2.3, 2.3], **bar)
    for end in (1, 1 + difference):
        axes.plot([end, end], [2.1, 2.5], **bar)
    text = f"critical difference {fixed(difference, 2)}"
    axes.text(1, 2.9, text, fontsize=8, va="bottom")
