"""Ranks and skill against numbers worked out by hand."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impbench.metrics.clustering import ari, asw
from impbench.metrics.cost import wall_seconds
from impbench.metrics.error import biozero_mse, mse
from impbench.metrics.thinned import thinned_poisson
from impbench.report.analysis.run import run_of_results
from impbench.report.analysis.skill import skill
from impbench.report.analysis.tables import gain, leaderboard_of, summarise
from impbench.results.manifest import AboutDataset, AboutImputer, RunManifest
from impbench.results.table import COLUMNS
from impbench.truth_control import TRUTH_CONTROLS

pytestmark = pytest.mark.slow

METRICS = {
    metric.name: metric for metric in (mse, biozero_mse, ari, asw, thinned_poisson, wall_seconds)
}
CONTROLS = ("no-imputation", "nonzero-mean", "permuted", "attainable", "oracle")


def make_run(scores, status=None, simulated=True):
    """`scores` maps (dataset, imputer, metric) to values by seed; `status` (dataset, imputer)."""
    rows = []
    for (dataset, imputer, metric), values in scores.items():
        for seed, value in enumerate(values, start=1):
            state = (status or {}).get((dataset, imputer), "ok" if np.isfinite(value) else "failed")
            reason = "" if state == "ok" else "it broke"
            key = f"{dataset}/{imputer}/{seed}"
            rows.append((dataset, "p", imputer, "{}", seed, metric, value, state, reason, key))
    results = pd.DataFrame(rows, columns=COLUMNS)
    imputers = dict.fromkeys(results["imputer"])
    manifest = RunManifest(
        datasets={
            name: AboutDataset(name, simulated=simulated) for name in results["dataset"].unique()
        },
        imputers={
            name: AboutImputer(
                name, is_control=name in CONTROLS, needs_truth=name in TRUTH_CONTROLS
            )
            for name in imputers
        },
    )
    return run_of_results(results, manifest, METRICS)


def cell(summary, imputer, metric="mse", dataset="d"):
    found = summary[
        (summary["imputer"] == imputer)
        & (summary["metric"] == metric)
        & (summary["dataset"] == dataset)
    ]
    assert len(found) == 1
    return found.iloc[0]


def test_mean_sd_and_skill_are_those_worked_by_hand():
    run = make_run(
        {
            ("d", "no-imputation", "mse"): [2.0, 2.0],
            ("d", "nonzero-mean", "mse"): [1.0, 1.0],
            ("d", "attainable", "mse"): [0.2, 0.2],
            ("d", "oracle", "mse"): [0.0, 0.0],
            ("d", "good", "mse"): [0.5, 0.7],
            ("d", "bad", "mse"): [3.0, 3.0],
            ("d", "boundless", "mse"): [1e30, 1e30],
        }
    )
    summary = summarise(run)
    good = cell(summary, "good")
    assert good["mean"] == pytest.approx(0.6)
    assert good["sd"] == pytest.approx(0.1414213562)
    # (2 - 0.6) / (2 - 0.2), (2 - 3) / (3 - 0.2) and (2 - 1) / (2 - 0.2)
    assert good["skill"] == pytest.approx(1.4 / 1.8)
    assert cell(summary, "bad")["skill"] == pytest.approx(-1 / 2.8)
    assert cell(summary, "boundless")["skill"] == pytest.approx(-1)
    assert cell(summary, "nonzero-mean")["skill"] == pytest.approx(1 / 1.8)
    assert cell(summary, "no-imputation")["skill"] == 0
    assert cell(summary, "attainable")["skill"] == 1
    # Beyond the bound is as good as the bound.
    assert cell(summary, "oracle")["skill"] == 1
    assert set(summary["control"]) == {"nonzero-mean"}
    assert set(summary["basis"]) == {"attainable"}
    assert summary.set_index("imputer").loc[["attainable", "oracle"], "rank"].isna().all()
    assert cell(summary, "good")["rank"] == 1


@given(
    losses=st.lists(st.floats(0, 1e30), min_size=1, max_size=6),
    nothing=st.floats(0.01, 1e6),
    share=st.floats(0, 0.99),
)
def test_skill_lies_between_minus_one_and_one_and_falls_with_the_loss(losses, nothing, share):
    values = np.sort(np.array(losses))
    found = skill(values, np.array(nothing), np.array(nothing * share))
    assert (np.abs(found) <= 1).all()
    assert (np.diff(found) <= 1e-12).all()
    assert (np.sign(nothing - values) == np.sign(found)).all() or np.isclose(found, 0).any()


def test_without_truth_the_ideal_value_is_skill_one_and_larger_is_better():
    run = make_run(
        {("d", "no-imputation", "ari"): [0.6], ("d", "method", "ari"): [0.7]}, simulated=False
    )
    method = cell(summarise(run), "method", "ari")
    assert method["skill"] == pytest.approx(0.25)
    assert (method["basis"], method["top"]) == ("ideal", 1)


def test_metric_without_a_bound_has_no_skill_and_one_that_is_no_error_keeps_its_ideal():
    # `attainable` fills zeros with constants: it bounds squared errors, not agreement of clusters.
    run = make_run(
        {
            ("d", "no-imputation", "asw"): [0.1],
            ("d", "method", "asw"): [0.5],
            ("d", "attainable", "asw"): [0.3],
            ("d", "no-imputation", "ari"): [0.5],
            ("d", "method", "ari"): [0.75],
            ("d", "attainable", "ari"): [0.6],
            ("d", "no-imputation", "thinned-poisson"): [-1147.0],
            ("d", "method", "thinned-poisson"): [-1147.1],
            ("d", "oracle", "thinned-poisson"): [-1147.3],
        }
    )
    summary = summarise(run)
    assert np.isnan(cell(summary, "method", "asw")["skill"])
    assert cell(summary, "method", "asw")["basis"] == "none"
    assert cell(summary, "method", "ari")["skill"] == pytest.approx(0.5)
    assert cell(summary, "method", "ari")["basis"] == "ideal"
    assert np.isnan(cell(summary, "method", "thinned-poisson")["skill"])
    # Ranks need no skill.
    assert cell(summary, "method", "thinned-poisson")["rank"] == 1


def test_without_doing_nothing_there_is_no_skill():
    run = make_run({("d", "nonzero-mean", "mse"): [1.0], ("d", "method", "mse"): [0.5]})
    assert summarise(run)["skill"].isna().all()


def test_skill_is_undefined_where_doing_nothing_is_as_good_as_the_bound():
    run = make_run(
        {
            ("d", "no-imputation", "biozero-mse"): [0.0],
            ("d", "attainable", "biozero-mse"): [0.2],
            ("d", "method", "biozero-mse"): [0.3],
        }
    )
    assert summarise(run)["skill"].isna().all()


def test_skill_is_undefined_where_the_bound_is_ahead_only_within_seed_noise():
    near = {
        ("d", "no-imputation", "mse"): [0.80, 0.90],
        ("d", "attainable", "mse"): [0.81, 0.85],
        ("d", "method", "mse"): [0.75, 0.75],
    }
    assert summarise(make_run(near))["skill"].isna().all()
    clear = near | {("d", "attainable", "mse"): [0.70, 0.72]}
    # gap 0.85 - 0.71 = 0.14; sd of doing nothing 0.0707, of the bound 0.0141
    assert cell(summarise(make_run(clear)), "method", "mse")["skill"] == pytest.approx(0.1 / 0.14)


def test_cost_has_no_skill_and_ranks_methods_alone():
    run = make_run(
        {
            ("d", "no-imputation", "wall-seconds"): [0.01],
            ("d", "slow", "wall-seconds"): [9.0],
            ("d", "fast", "wall-seconds"): [3.0],
        }
    )
    summary = summarise(run)
    assert summary["skill"].isna().all()
    assert np.isnan(cell(summary, "no-imputation", "wall-seconds")["rank"])
    assert cell(summary, "fast", "wall-seconds")["rank"] == 1
    assert cell(summary, "slow", "wall-seconds")["rank"] == 2


def test_ties_share_the_mean_of_their_places_and_all_are_best():
    run = make_run(
        {
            ("d", "a", "mse"): [0.5],
            ("d", "b", "mse"): [0.1 + 0.4 + 1e-16],
            ("d", "c", "mse"): [0.7],
            ("d", "oracle", "mse"): [0.0],
        }
    )
    summary = summarise(run).set_index("imputer")
    assert summary["rank"].to_dict() == pytest.approx(
        {"a": 1.5, "b": 1.5, "c": 3, "oracle": np.nan}, nan_ok=True
    )
    assert summary["best"].to_dict() == {"a": True, "b": True, "c": False, "oracle": False}


def test_failed_method_takes_last_place_and_is_not_averaged_away():
    run = make_run(
        {
            ("d", "a", "mse"): [0.5, 0.5],
            ("d", "b", "mse"): [0.7, 0.7],
            ("d", "broken", "mse"): [np.nan, np.nan],
            ("e", "a", "mse"): [0.5, 0.5],
            ("e", "b", "mse"): [0.7, 0.7],
            ("e", "broken", "mse"): [0.1, 0.1],
        }
    )
    summary = summarise(run)
    broken = cell(summary, "broken")
    assert (broken["rank"], broken["status"], broken["reason"]) == (3, "failed", "it broke")
    assert np.isnan(broken["mean"])
    assert broken["counted"] == pytest.approx(0.7)
    board = leaderboard_of(run, summary).set_index("imputer")
    assert board.loc["broken", "mean_rank"] == 2
    assert board.loc["a", "mean_rank"] == 1.5
    assert (board.loc["broken", "n_lost"], board.loc["broken", "n_asked"]) == (2, 4)
    assert board.loc["a", "n_lost"] == 0


def test_skill_of_a_method_that_failed_on_a_dataset_is_that_of_the_worst_there():
    scores = {
        ("d", "no-imputation", "mse"): [1.0],
        ("d", "permuted", "mse"): [2.0],
        ("d", "a", "mse"): [0.5],
        ("d", "broken", "mse"): [np.nan],
        ("e", "no-imputation", "mse"): [1.0],
        ("e", "permuted", "mse"): [2.0],
        ("e", "a", "mse"): [0.5],
        ("e", "broken", "mse"): [0.2],
    }
    board = leaderboard_of(run := make_run(scores), summarise(run)).set_index("imputer")
    # 0.8 where it worked; (1 - 2) / (2 - 0) like the permuted where it did not.
    assert board.loc["broken", "mean_skill"] == pytest.approx((0.8 - 0.5) / 2)
    # A method worse than every control sets the worst.
    scores["d", "a", "mse"] = [4.0]
    assert cell(summarise(make_run(scores)), "broken")["counted"] == 4.0


def test_one_failed_seed_counts_as_the_worst_and_is_never_best():
    run = make_run(
        {
            ("d", "no-imputation", "mse"): [1.0, 1.0],
            ("d", "a", "mse"): [0.9, 0.9],
            ("d", "half", "mse"): [0.1, np.nan],
        }
    )
    summary = summarise(run)
    half = cell(summary, "half")
    # What is shown is the survivor; what counts is (0.1 + 1) / 2.
    assert (half["mean"], half["counted"]) == (0.1, pytest.approx(0.55))
    assert (half["n_failed"], half["n_lost"], half["n_asked"]) == (1, 1, 2)
    assert half["skill"] == pytest.approx(0.45)
    assert not half["best"]
    assert cell(summary, "a")["best"]
    assert gain(run, "d", "p", "mse", "half", "a")[1] == "not told apart"


@given(
    seeds=st.lists(
        st.tuples(st.floats(0, 10), st.floats(0, 10), st.floats(0, 10)), min_size=2, max_size=4
    ),
    which=st.integers(0, 3),
)
def test_failing_never_improves_rank_skill_or_gain(seeds, which):
    which %= len(seeds)
    columns = dict(zip(("no-imputation", "a", "b"), zip(*seeds, strict=True), strict=True))
    scores = {("d", name, "mse"): list(values) for name, values in columns.items()}
    before_run = make_run(scores)
    scores["d", "b", "mse"] = [v if i != which else np.nan for i, v in enumerate(columns["b"])]
    after_run = make_run(scores)
    before, after = (cell(summarise(run), "b") for run in (before_run, after_run))
    worst = max(np.mean(values) for values in columns.values())
    if columns["b"][which] > worst:
        # A seed worse than the worst mean is better lost, by the difference and no more.
        return
    assert after["rank"] >= before["rank"]
    assert after["counted"] >= before["counted"] - 1e-12
    if np.isfinite(before["skill"]):
        assert after["skill"] <= before["skill"] + 1e-12
    loss = gain(after_run, "d", "p", "mse", "b", "a")[0]
    assert loss <= gain(before_run, "d", "p", "mse", "b", "a")[0] + 1e-12


def test_seeds_without_a_record_are_missed_but_no_failure():
    run = make_run({("d", "a", "mse"): [0.5, 0.5], ("d", "b", "mse"): [0.4]})
    run = dataclasses.replace(run, manifest=dataclasses.replace(run.manifest, seeds=(1, 2)))
    row = cell(summarise(run), "b")
    assert (row["n_failed"], row["n_lost"], row["counted"], row["rank"]) == (0, 1, 0.4, 1)


def test_unavailable_method_is_not_ranked_and_says_on_how_many_datasets_it_was():
    run = make_run(
        {
            ("d", "a", "mse"): [0.5],
            ("d", "b", "mse"): [np.nan],
            ("e", "a", "mse"): [0.5],
            ("e", "b", "mse"): [0.1],
        },
        status={("d", "b"): "unavailable"},
    )
    board = leaderboard_of(run, summarise(run)).set_index("imputer")
    assert (board.loc["b", "n_ranked"], board.loc["b", "n_datasets"]) == (1, 2)
    # Being ranked on fewer datasets never puts a method first.
    assert list(board.index) == ["a", "b"]


def test_seeds_that_failed_are_counted():
    run = make_run({("d", "a", "mse"): [0.5, np.nan, 0.7], ("d", "b", "mse"): [1.0, 1.0, 1.0]})
    row = cell(summarise(run), "a")
    assert (row["n_scored"], row["n_jobs"], row["mean"]) == (2, 3, pytest.approx(0.6))
    assert row["status"] == "failed"


def test_nobody_is_ranked_where_nobody_has_a_score():
    run = make_run({("d", "a", "mse"): [np.nan], ("d", "b", "mse"): [np.nan]})
    assert summarise(run)["rank"].isna().all()
    assert not summarise(run)["best"].any()


def test_metric_that_no_plugin_offers_is_shown_but_neither_ranked_nor_judged():
    run = make_run({("d", "a", "strange"): [0.5], ("d", "no-imputation", "strange"): [0.7]})
    summary = summarise(run)
    assert summary["mean"].notna().all()
    assert summary[["rank", "skill"]].isna().all(axis=None)
    assert run.lead_metric("p") is None


def test_gain_is_beyond_noise_only_above_two_standard_deviations():
    scores = {("d", "a", "mse"): [0.5, 0.6], ("d", "b", "mse"): [0.8, 0.9]}
    assert gain(make_run(scores), "d", "p", "mse", "a", "b") == (pytest.approx(0.3), "better")
    assert gain(make_run(scores), "d", "p", "mse", "b", "a") == (pytest.approx(-0.3), "worse")
    # differences 0.1 and 0.5: mean 0.3, sd 0.28
    scores[("d", "b", "mse")] = [0.6, 1.1]
    value, verdict = gain(make_run(scores), "d", "p", "mse", "a", "b")
    assert (value, verdict) == (pytest.approx(0.3), "not told apart")


def test_gain_with_one_shared_seed_cannot_say_whether_it_is_noise():
    run = make_run(
        {("d", "a", "ari"): [0.9, np.nan], ("d", "b", "ari"): [0.5, 0.6]},
        status={("d", "a"): "cancelled"},
    )
    assert gain(run, "d", "p", "ari", "a", "b") == (pytest.approx(0.4), None)
    assert gain(run, "d", "p", "ari", "a", "absent")[1] is None


def test_empty_results_give_empty_tables():
    run = run_of_results(pd.DataFrame(columns=COLUMNS), RunManifest(), METRICS)
    assert summarise(run).empty
    assert leaderboard_of(run, summarise(run)).empty
