"""Together or apart: said for imputers that ran both ways, and for no others."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from impbench.report.analysis.batches import batch_answers, both_ways, partners
from impbench.report.analysis.run import Run, run_of_results
from impbench.report.analysis.tables import summarise
from impbench.report.figures.batches import batches
from impbench.report.figures.drawing import style
from impbench.report.figures.scene import Scene
from impbench.report.page.batch_section import batch_sections
from impbench.results.manifest import AboutDataset, AboutImputer, AboutProblem, RunManifest

Scores = dict[str, list[float | str]]
NOTHING: Scores = {"no-imputation": [1.0, 1.0]}


def make(scores: Scores, metric: str = "mse", own: dict[str, Any] | None = None) -> Run:
    """A run of one dataset: by spec, the score of each seed, or why there is none."""
    rows = []
    for spec, values in scores.items():
        for seed, value in enumerate(values, start=1):
            good = isinstance(value, float)
            rows.append(
                {
                    "dataset": "mine",
                    "protocol": "question",
                    "imputer": spec,
                    "params": "{}",
                    "seed": seed,
                    "metric": metric,
                    "value": value if good else float("nan"),
                    "status": "ok" if good else "failed",
                    "reason": "" if good else value,
                    "key": f"{spec}{seed}",
                }
            )
    imputers = {
        spec: AboutImputer(
            spec.partition("[")[0],
            is_control=spec == "no-imputation",
            params={**({"per": "batch"} if "per=batch" in spec else {}), **(own or {})},
        )
        for spec in scores
    }
    manifest = RunManifest(
        datasets={"mine": AboutDataset("mine", batches={"A": 4, "B": 6})},
        imputers=imputers,
        problems=(AboutProblem("mine", "question", (metric,)),),
        seeds=tuple(range(1, 1 + max(map(len, scores.values())))),
    )
    return run_of_results(pd.DataFrame(rows), manifest)


def lead(run: Run) -> str:
    (answer,) = batch_answers(run, both_ways(run, summarise(run)))
    return answer.finding.lead


@pytest.mark.parametrize(
    ("together", "apart", "answer", "words"),
    [
        ([0.4, 0.41], [0.5, 0.51], "better together", "Impute the batches together: better for 1"),
        ([0.5, 0.51], [0.4, 0.41], "better apart", "Impute each batch alone: better for 1"),
        ([0.4, 0.5], [0.45, 0.47], "not told apart", "makes no difference that could be told"),
        # No seed changes anything, and neither does the company: 0.001 of 1 to the bound.
        ([0.4, 0.4], [0.401, 0.401], "not told apart", "makes no difference that could be told"),
        ([0.4, 0.4], [0.41, 0.41], "better together", "Impute the batches together: better for 1"),
        ([1.4, 1.4], [1.6, 1.6], "better together", "Neither together nor apart did any method"),
    ],
)
def test_the_answer_is_beyond_seed_noise_and_not_negligible(
    together: list[float | str], apart: list[float | str], answer: str, words: str
) -> None:
    run = make({"a[t=2]": together, "a[t=2,per=batch]": apart, **NOTHING})
    (pair,) = both_ways(run, summarise(run))
    assert (pair.imputer, pair.alone, pair.answer) == ("a[t=2]", "a[t=2,per=batch]", answer)
    assert words in lead(run)


def test_a_score_that_is_better_larger_is_turned() -> None:
    scores: Scores = {"a": [0.8, 0.8], "a[per=batch]": [0.6, 0.6], "no-imputation": [0.1, 0.1]}
    run = make(scores, "ari")
    (pair,) = both_ways(run, summarise(run))
    assert pair.answer == "better together"
    assert pair.gain == pytest.approx(-0.2)
    assert pair.by_seed == pytest.approx((-0.2, -0.2))


def test_methods_that_disagree_are_said_to() -> None:
    scores: Scores = {
        **{"a": [0.4, 0.4], "a[per=batch]": [0.5, 0.5]},
        **{"b": [0.5, 0.5], "b[per=batch]": [0.4, 0.4], **NOTHING},
    }
    assert lead(make(scores)) == (
        "It depends on the method: 1 of 2 methods better together, 1 better apart."
    )


def test_one_that_fails_apart_is_no_win_for_together() -> None:
    why = "InputError: batch 'A' alone (4 cells): too few"
    run = make({"a": [0.4, 0.4], "a[per=batch]": [why, why], **NOTHING})
    (pair,) = both_ways(run, summarise(run))
    assert pair.answer is None
    (answer,) = batch_answers(run, [pair])
    assert answer.finding.lead == "Whether together or apart cannot be said."
    assert any("batch 'A' alone (4 cells): too few" in text for text in answer.finding.details)


def test_one_seed_is_no_answer() -> None:
    run = make({"a": [0.4], "a[per=batch]": [0.5], "no-imputation": [1.0]})
    (answer,) = batch_answers(run, both_ways(run, summarise(run)))
    assert answer.where("better together") == []
    assert any("One seed cannot say" in text for text in answer.finding.details)


def test_a_job_that_is_missing_is_said_to_be() -> None:
    run = make({"a": [0.4, 0.4], "a[per=batch]": [0.5], **NOTHING})
    (pair,) = both_ways(run, summarise(run))
    assert pair.failure == "a[per=batch]: a seed has no record"


def test_partners_have_the_same_other_parameters() -> None:
    both: Scores = {"a": [0.4], "b[per=batch]": [0.5]}
    assert partners(make(both)) == {}
    assert partners(make({"a": [0.4], "a[per=batch]": [0.5]})) == {"a": "a[per=batch]"}


def test_nothing_is_drawn_or_said_where_nothing_can_be_compared() -> None:
    run = make({"a": [0.4, 0.4], "b[per=batch]": [0.5, 0.5], **NOTHING})
    assert batch_sections(run, summarise(run)) == []
    assert draw(run) is None


def test_the_figure_has_a_panel_per_score_and_a_row_per_imputer() -> None:
    run = make({"a": [0.4, 0.4], "a[per=batch]": [0.5, 0.5], **NOTHING})
    drawn = draw(run)
    assert drawn is not None
    (axes,) = drawn.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a"]
    (mark,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert mark.get_xdata()[0] == pytest.approx(-0.1)
    low, high = axes.get_xlim()
    assert low == -high < -0.1
    (section,) = batch_sections(run, summarise(run))
    assert section.batches == "A (4), B (6)"
    assert [cell.text for cell in section.table.rows[0].cells] == ["−0.100"]


def draw(run: Run) -> Any:
    scene = Scene.of(run)
    with style():
        return batches.draw(
            Scene(**{**vars(scene), "dataset": "mine"})  # a scene of that dataset
        )
