"""Together or apart: how much each imputer gains where each batch is imputed alone."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from impbench.page_figure import figure
from impbench.report.analysis.batches import Answer, BothWays, both_ways
from impbench.report.figures.drawing import blank, panel
from impbench.report.figures.palette import FAINT, INK, METHOD_COLOURS, SOFT
from impbench.report.figures.scene import Scene
from impbench.report.numbers import number
from impbench.report.text import counted, shorten

ROW = 0.28
LABELS = 1.9
WIDE = 1.75
GAP = 0.45
HEAD = 0.62
FOOT = 0.5
COLUMNS = 4

COLOURS: dict[Answer | None, str] = {
    "better together": METHOD_COLOURS[0],
    "better apart": METHOD_COLOURS[1],
    "not told apart": "#9a9a9a",
    None: "white",
}


@figure(
    "batches",
    title="Batches together or apart",
    caption="Each imputer against itself: its score where each batch is imputed alone, minus its "
    "score where all cells are imputed together, turned so that right of the line is better apart "
    "and left of it better together. Large: mean over seeds, small: each seed. Blue is better "
    "together, orange better apart, grey not told apart, hollow one seed; an imputer that failed "
    "one way has no mark. In the grey band a difference is negligible. Every score has a scale of "
    "its own.",
    per="dataset",
    section="batches",
)
def batches(scene: Scene) -> Figure | None:
    """Gain of each imputer where each batch is imputed alone, a panel per score.

    None where no imputer ran both ways.
    """
    run = scene.run
    shown: dict[tuple[str, str], list[BothWays]] = {}
    for pair in both_ways(run, scene.summary):
        leads = pair.metric == run.lead_metric(pair.protocol)
        # How well batches are mixed is what the question is about.
        if pair.dataset == scene.dataset and (leads or run.metrics[pair.metric].on_batches):
            shown.setdefault((pair.protocol, pair.metric), []).append(pair)
    if not any(pair.by_seed for pairs in shown.values() for pair in pairs):
        return None
    names = list(dict.fromkeys(pair.imputer for pairs in shown.values() for pair in pairs))
    height, columns = ROW * len(names), min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    drawn = blank(LABELS + columns * (WIDE + GAP), rows * (HEAD + height + FOOT))
    for i, ((protocol, metric), pairs) in enumerate(shown.items()):
        row, column = divmod(i, columns)
        left, top = LABELS + column * (WIDE + GAP), row * (HEAD + height + FOOT) + HEAD
        axes = panel(drawn, left, top, WIDE, height)
        _marks(axes, names, pairs)
        labels = [shorten(name, 26) for name in names] if column == 0 else []
        axes.set_yticks(range(len(labels)), labels)
        axes.set_title(f"{run.metrics[metric].title}\n", pad=4)
        axes.text(0, 1.03, protocol, color=SOFT, fontsize=7, transform=axes.transAxes)
    drawn.set_label(
        f"Gain of {counted(len(names), 'imputer')} where each batch is imputed alone, on "
        f"{counted(len(shown), 'score')}"
    )
    return drawn


def _marks(axes: Axes, names: list[str], pairs: list[BothWays]) -> None:
    # Half a second to import, for runs of batches alone.
    import seaborn as sns

    seeds = pd.DataFrame(
        [(pair.imputer, value) for pair in pairs for value in pair.by_seed],
        columns=["imputer", "gain"],
    )
    axes.axvline(0, color=SOFT, linewidth=0.8)
    sns.stripplot(
        seeds,
        x="gain",
        y="imputer",
        order=names,
        orient="h",
        jitter=False,
        color=SOFT,
        size=2.5,
        alpha=0.6,
        ax=axes,
    )
    for pair in pairs:
        axes.plot(
            pair.gain,
            names.index(pair.imputer),
            "o",
            markersize=7,
            color=COLOURS[pair.answer],
            markeredgecolor=INK if pair.answer is None else COLOURS[pair.answer],
            zorder=4,
        )
    least = max(pair.negligible for pair in pairs)
    axes.axvspan(-least, least, color=FAINT, linewidth=0, zorder=0)
    furthest = max([abs(value) for pair in pairs for value in (*pair.by_seed, 0)])
    reach = max(1.15 * furthest, 3 * least) or 1.0
    axes.set(xlim=(-reach, reach), ylim=(len(names) - 0.5, -0.5), xlabel="", ylabel="")
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10], symmetric=True))
    axes.xaxis.set_major_formatter(lambda value, _: number(value, 2))
    axes.yaxis.grid(True, color=FAINT)
    axes.tick_params(axis="y", length=0)
    note = {"transform": axes.transAxes, "color": SOFT, "fontsize": 7, "va": "top"}
    below = -0.24 / (ROW * len(names))
    axes.text(0, below, "◂ better together", ha="left", **note)  # type: ignore[arg-type]
    axes.text(1, below, "better apart ▸", ha="right", **note)  # type: ignore[arg-type]
