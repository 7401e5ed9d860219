"""Ranks and skill against numbers worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from impbench.metrics.clustering import ari, asw
from impbench.metrics.cost import wall_seconds
from impbench.metrics.error import biozero_mse, mse
from impbench.report.run import run_of_results
from impbench.report.tables import gain, leaderboard_of, summarise
from impbench.runner.store import COLUMNS

METRICS = {metric.name: metric for metric in (mse, biozero_mse, ari, asw, wall_seconds)}
CONTROLS = ("no-imputation", "nonzero-mean", "oracle")


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
    manifest = {
        "datasets": {name: {"simulated": simulated} for name in results["dataset"].unique()},
        "imputers": {name: {"is_control": name in CONTROLS} for name in imputers},
    }
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
            ("d", "oracle", "mse"): [0.2, 0.2],
            ("d", "good", "mse"): [0.5, 0.7],
            ("d", "bad", "mse"): [1.4, 1.4],
        }
    )
    summary = summarise(run)
    good = cell(summary, "good")
    assert good["mean"] == pytest.approx(0.6)
    assert good["sd"] == pytest.approx(0.1414213562)
    # (1.0 - 0.6) / (1.0 - 0.2) and (1.0 - 1.4) / (1.0 - 0.2)
    assert good["skill"] == pytest.approx(0.5)
    assert cell(summary, "bad")["skill"] == pytest.approx(-0.5)
    assert cell(summary, "nonzero-mean")["skill"] == pytest.approx(0)
    assert cell(summary, "oracle")["skill"] == pytest.approx(1)
    assert set(summary["control"]) == {"nonzero-mean"}
    assert set(summary["basis"]) == {"oracle"}


def test_without_truth_the_ideal_value_is_skill_one_and_larger_is_better():
    run = make_run(
        {("d", "no-imputation", "ari"): [0.6], ("d", "method", "ari"): [0.7]}, simulated=False
    )
    method = cell(summarise(run), "method", "ari")
    assert method["skill"] == pytest.approx(0.25)
    assert (method["basis"], method["top"]) == ("ideal", 1)


def test_skill_is_undefined_where_the_best_control_is_as_good_as_the_truth():
    run = make_run(
        {
            ("d", "no-imputation", "biozero-mse"): [0.0],
            ("d", "oracle", "biozero-mse"): [0.0],
            ("d", "method", "biozero-mse"): [0.3],
        }
    )
    assert summarise(run)["skill"].isna().all()


def test_skill_is_undefined_where_the_truth_is_ahead_only_within_seed_noise():
    near = {
        ("d", "no-imputation", "ari"): [0.80, 0.90],
        ("d", "oracle", "ari"): [0.85, 0.89],
        ("d", "method", "ari"): [0.95, 0.95],
    }
    assert summarise(make_run(near))["skill"].isna().all()
    clear = near | {("d", "oracle", "ari"): [0.98, 1.0]}
    # gap 0.99 - 0.85 = 0.14; sd of the control 0.0707, of the oracle 0.0141
    assert cell(summarise(make_run(clear)), "method", "ari")["skill"] == pytest.approx(0.1 / 0.14)


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
    board = leaderboard_of(run, summary).set_index("imputer")
    assert board.loc["broken", "mean_rank"] == 2
    assert board.loc["a", "mean_rank"] == 1.5


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
    value, beyond = gain(make_run(scores), "d", "p", "mse", "a", "b")
    assert (value, beyond) == (pytest.approx(0.3), True)
    # differences 0.1 and 0.5: mean 0.3, sd 0.28
    scores[("d", "b", "mse")] = [0.6, 1.1]
    assert gain(make_run(scores), "d", "p", "mse", "a", "b") == (pytest.approx(0.3), False)


def test_gain_with_one_shared_seed_cannot_say_whether_it_is_noise():
    run = make_run({("d", "a", "ari"): [0.9, np.nan], ("d", "b", "ari"): [0.5, 0.6]})
    assert gain(run, "d", "p", "ari", "a", "b") == (pytest.approx(0.4), None)
    assert gain(run, "d", "p", "ari", "a", "absent")[1] is None


def test_empty_results_give_empty_tables():
    run = run_of_results(pd.DataFrame(columns=COLUMNS), {}, METRICS)
    assert summarise(run).empty
    assert leaderboard_of(run, summarise(run)).empty
