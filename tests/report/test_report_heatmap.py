"""The figures of ranks and skills over all questions."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pytest

from impbench.registry import registry
from impbench.report.analysis.run import make_run
from impbench.report.analysis.tables import leaderboard_of
from impbench.report.figures.drawing import blank, name_rows, scatter, style
from impbench.report.figures.palette import Look
from impbench.report.figures.scene import Scene
from impbench.results.store import Store


@pytest.mark.parametrize("name", ["heatmap-rank", "heatmap-skill"])
def test_a_question_that_one_was_not_asked_is_an_empty_cell_and_no_warning(
    default_run: Store, name: str
) -> None:
    scene = Scene.of(make_run(default_run.read()))
    left_out = (scene.summary["imputer"] == "magic") & (scene.summary["protocol"] == "clustering")
    assert left_out.any()
    summary = scene.summary[~left_out]
    scene = replace(scene, summary=summary, board=leaderboard_of(scene.run, summary))
    with style(), warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = registry().figures[name].draw(scene)
    assert drawn is not None
    texts = [text.get_text() for axes in drawn.axes for text in axes.texts]
    assert "—" in texts


def test_names_of_rows_and_marks_are_as_many_artists_as_needed():
    axes = blank(2, 2).add_axes((0.5, 0, 0.5, 1))
    looks = [Look("a", "#0072B2", "o", False), Look("b", "#D55E00", "s", False)]
    points = scatter(axes, [1, 2], [0, 1], looks)
    name_rows(axes, looks, [0, 1])
    assert [text.get_text() for text in axes.texts] == ["a", "b"]
    assert list(axes.collections) == [points]
    assert len(points.get_paths()) == 2
    assert not axes.yaxis.get_major_ticks()
