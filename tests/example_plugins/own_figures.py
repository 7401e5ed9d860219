"""A single-file plugin: figures of the page, one that works and some that do not."""

from __future__ import annotations

import multiprocessing
import os

from matplotlib.figure import Figure

from impbench import figure, hookimpl
from impbench.errors import InputError
from impbench.page_figure import PageFigure
from impbench.report.figures.scene import Scene


@figure("score-counts", title="Scores & <b>counts</b>", caption="A bar per imputer.")
def score_counts(scene: Scene) -> Figure:
    """How many scores each imputer has."""
    counts = scene.summary.groupby("imputer", sort=False)["n_scored"].sum()
    drawn = Figure(figsize=(5, 3))
    drawn.subplots().bar([scene.looks[name].label for name in counts.index], counts)
    drawn.set_label("Bars of the number of scores")
    return drawn


@figure(
    "cells-and-genes",
    title="Size",
    caption=lambda scene: f"Of {scene.dataset}.",
    per="dataset",
)
def size(scene: Scene) -> Figure | None:
    """Numbers of cells and genes of a dataset."""
    facts = scene.run.datasets[scene.dataset]
    if not facts.n_cells or not facts.n_genes:
        return None
    drawn = Figure(figsize=(3, 2))
    drawn.subplots().bar(["cells", "genes"], [facts.n_cells, facts.n_genes])
    # The page has its tables by then.
    scene.summary.drop(scene.summary.index, inplace=True)
    return drawn


@figure("never-shown", title="Nothing", caption="Nothing.", per="protocol", section="time")
def nothing(scene: Scene) -> None:
    """Nothing to show."""


@figure("raises", title="Raises", caption="Raises.", per="question")
def raises(scene: Scene) -> Figure:
    """Cannot be drawn."""
    raise ZeroDivisionError(f"<b>no</b> {scene.protocol}")


@figure("exits", title="Exits", caption="Exits.")
def exits(scene: Scene) -> Figure:
    """Would end the process."""
    raise SystemExit(1)


@figure("dies", title="Dies", caption="Dies.")
def dies(scene: Scene) -> Figure:
    """Ends the process that draws it, where that is not the one that writes the page."""
    if multiprocessing.parent_process() is not None:
        os._exit(1)
    raise InputError("its process died")


@figure("a-text", title="Text", caption="Text.")
def text(scene: Scene) -> Figure:
    """Returns something else."""
    return "a figure"  # type: ignore[return-value]


@hookimpl
def impbench_figures() -> list[PageFigure]:
    return [score_counts, size, nothing, raises, exits, dies, text]
