"""Which method for which purpose: ranks, skills and verdicts against numbers worked out by hand."""

import re
from dataclasses import replace

import pandas as pd
import pytest

from impbench.metrics.clustering import ari
from impbench.metrics.cost import wall_seconds
from impbench.metrics.error import mse
from impbench.report.analysis.advice import advise
from impbench.report.analysis.purposes import SPEED, purposes_of
from impbench.report.analysis.run import run_of_results
from impbench.report.analysis.tables import summarise
from impbench.report.figures.answers import answers, sweep_of
from impbench.report.figures.drawing import save, style
from impbench.report.figures.purposes import purposes
from impbench.report.figures.scene import Scene
from impbench.results.manifest import (
    AboutDataset,
    AboutImputer,
    AboutProtocol,
    RunManifest,
)
from impbench.results.table import COLUMNS

METRICS = {metric.name: metric for metric in (mse, ari, wall_seconds)}
NOTHING = "no-imputation"
CONTROLS = (NOTHING, "gene-mean")


def make_run(scores, protocols):
    """`scores` maps (dataset, protocol, imputer, metric) to a value; `protocols` facts by spec."""
    rows = [
        (data, protocol, imputer, "{}", 1, metric, value, "ok", "", f"{data}{protocol}{imputer}")
        for (data, protocol, imputer, metric), value in scores.items()
    ]
    results = pd.DataFrame(rows, columns=COLUMNS)
    manifest = RunManifest(
        datasets={name: AboutDataset(name, simulated=True) for name in results["dataset"].unique()},
        imputers={
            name: AboutImputer(name, is_control=name in CONTROLS)
            for name in results["imputer"].unique()
        },
        protocols={spec: AboutProtocol(**about) for spec, about in protocols.items()},
    )
    return run_of_results(results, manifest, METRICS)


def draw_purposes(run, folder):
    with style():
        return save(purposes.draw(Scene.of(run)), folder, "purposes", "", png=False)


@pytest.fixture
def run():
    errors = {"a": (1.0, 3.0), "b": (2.0, 2.0), "no-imputation": (4.0, 1.0), "gene-mean": (5.0, 5)}
    agreement = {"a": 0.2, "b": 0.9, "no-imputation": 0.1, "gene-mean": 0.0}
    seconds = {"a": 10.0, "b": 1.0, "no-imputation": 0.1, "gene-mean": 0.1}
    scores = {}
    for name, (first, second) in errors.items():
        scores["d", "truth", name, "mse"] = first
        scores["e", "truth[x=2]", name, "mse"] = second
        scores["d", "groups", name, "ari"] = agreement[name]
        for dataset, protocol in (("d", "truth"), ("e", "truth[x=2]"), ("d", "groups")):
            scores[dataset, protocol, name, "wall-seconds"] = seconds[name]
    facts = {"purpose": "accuracy", "summary": ""}
    return make_run(
        scores,
        {"truth": {**facts, "params": {"x": 1}}, "truth[x=2]": {**facts, "params": {"x": 2}}},
    )


def test_ranks_are_averaged_over_every_question_of_a_purpose(run):
    table = purposes_of(run, summarise(run)).set_index(["purpose", "imputer"])
    # On d: a, b, no-imputation, gene-mean; on e: no-imputation, b, a, gene-mean.
    assert table.loc[("accuracy", "a"), "mean_rank"] == 2
    assert table.loc[("accuracy", "b"), "mean_rank"] == 2
    assert table.loc[("accuracy", "gene-mean"), "mean_place"] == 1
    assert table.loc[("accuracy", "a"), "mean_place"] == pytest.approx((0 + 2 / 3) / 2)
    assert table.loc[("accuracy", "a"), "n_questions"] == 2
    # A protocol without a purpose stands for itself.
    assert table.loc[("groups", "b"), "mean_rank"] == 1


def test_a_form_with_parameters_has_no_second_vote_beside_its_plain_protocol():
    found = {"a": (1, 5, 9), "b": (2, 4, 8), "no-imputation": (3, 6, 7)}
    asked = (("d", "truth"), ("d", "truth[x=2]"), ("e", "truth[x=2]"))
    scores = {
        (*question, name, "mse"): value
        for name, values in found.items()
        for question, value in zip(asked, values, strict=True)
    }
    facts = {"purpose": "accuracy", "summary": ""}
    about = {"truth": {**facts, "params": {}}, "truth[x=2]": {**facts, "params": {"x": 2}}}
    run = make_run(scores, about)
    summary = summarise(run)
    table = purposes_of(run, summary).set_index(["purpose", "imputer"])
    # On d, by the plain form: a, b, no-imputation; on e, where that was not asked: the reverse.
    for name, rank in (("a", (1 + 3) / 2), ("b", 2), ("no-imputation", (3 + 1) / 2)):
        assert table.loc[("accuracy", name), "mean_rank"] == rank
        assert table.loc[("accuracy", name), "n_questions"] == 2
    (advice,) = advise(run, summary, [])
    assert "of 2 questions" in " ".join(advice.reasons)


def test_time_of_a_shared_imputation_counts_once_and_only_for_methods(run):
    table = purposes_of(run, summarise(run))
    speed = table[table["purpose"] == SPEED].set_index("imputer")
    assert set(speed.index) == {"a", "b"}
    assert speed.loc["b", "n_questions"] == 2
    assert speed.loc["b", "mean_rank"] == 1
    assert speed.loc["a", "seconds"] == 10


def test_method_that_failed_is_marked(run, tmp_path):
    # On d, a has 1 with the first seed and, for the second, the worst: 5.
    results = run.results
    again = results[(results["imputer"] == "a") & (results["dataset"] == "d")]
    failed = again.assign(seed=2, status="failed", value=float("nan"), key=again["key"] + "2")
    lame = run_of_results(pd.concat([results, failed]), run.manifest, METRICS)
    table = purposes_of(lame, summarise(lame))
    # Of two datasets, d lost one seed of each question.
    assert table.set_index(["purpose", "imputer"]).loc[("accuracy", "a"), "n_lost"] == 1
    assert re.search(r"\d\*( -->|<)", draw_purposes(lame, tmp_path))


def test_map_shows_every_imputer_and_purpose(run, tmp_path):
    svg = draw_purposes(run, tmp_path)
    for text in ("accuracy", "groups", "speed", "gene-mean", "10 s"):
        assert text in svg


def test_nothing_ranked_draws_nothing():
    run = make_run({("d", "p", "gene-mean", "wall-seconds"): 1.0}, {})
    assert purposes.draw(Scene.of(run)) is None


def test_protocol_asked_along_a_number_is_drawn_along_it(run):
    sweep = sweep_of(run, ["truth[x=2]", "truth"])
    assert sweep.parameter == "x"
    assert list(sweep.values.values()) == [1, 2]
    scene = Scene.of(run)
    assert answers.draw(replace(scene, protocol="truth")).get_label() == "MSE along x"
    # Once for all values.
    assert answers.draw(replace(scene, protocol="truth[x=2]")) is None


def test_protocols_that_differ_in_words_are_no_sweep():
    run = make_run(
        {("d", "p", "a", "mse"): 1.0, ("d", "p[k=v]", "a", "mse"): 1.0},
        {"p": {"params": {"k": "u"}}, "p[k=v]": {"params": {"k": "v"}}},
    )
    assert sweep_of(run, ["p", "p[k=v]"]) is None
