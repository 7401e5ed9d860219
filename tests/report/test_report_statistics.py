"""Tests over datasets against SciPy, published values and hand-worked examples."""

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
import scipy.stats

from impbench.metrics.error import mse
from impbench.report.analysis.run import run_of_results
from impbench.report.analysis.statistics import (
    MIN_DATASETS,
    compare,
    critical_difference,
    holm,
    wilcoxon_p,
)
from impbench.report.analysis.tables import summarise
from impbench.results.manifest import RunManifest
from impbench.results.table import COLUMNS


def compare_scores(scores: np.ndarray, names: list[str], lost: str = "failed"):
    """`scores` is datasets × imputers; NaN is a failure, or what `lost` says."""
    rows = [
        (f"d{i}", "p", name, "{}", 1, "mse", value, "ok" if np.isfinite(value) else lost, "",
         f"{i}-{j}")
        for i, values in enumerate(scores)
        for j, (name, value) in enumerate(zip(names, values, strict=True))
    ]  # fmt: skip
    run = run_of_results(pd.DataFrame(rows, columns=COLUMNS), RunManifest(), {"mse": mse})
    (comparison,) = compare(run, summarise(run))
    return comparison


SCORES = np.array(
    [
        [0.1, 0.5, 0.9, 0.8],
        [0.2, 0.4, 0.7, 0.8],
        [0.1, 0.6, 0.5, 0.7],
        [0.3, 0.7, 0.8, 0.9],
        [0.2, 0.1, 0.6, 0.9],
        [0.1, 0.3, 0.8, 0.7],
        [0.4, 0.5, 0.6, 0.7],
        [0.2, 0.8, 0.9, 1.0],
    ]
)
NAMES = ["a", "b", "c", "d"]


def test_friedman_is_scipys():
    expected = scipy.stats.friedmanchisquare(*SCORES.T)
    test = compare_scores(SCORES, NAMES)
    assert test.statistic == pytest.approx(expected.statistic)
    assert test.p_value == pytest.approx(expected.pvalue)
    assert test.mean_ranks.to_dict() == pytest.approx({"a": 9 / 8, "b": 2, "c": 25 / 8, "d": 3.75})


def test_critical_difference_is_demsars():
    # Demšar (2006), section 3.2.2: four classifiers on 14 datasets give q = 2.569, CD = 1.25.
    assert critical_difference(4, 14) == pytest.approx(2.569 * np.sqrt(20 / 84), abs=1e-3)
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)


def test_nemenyi_agrees_with_the_critical_difference():
    test = compare_scores(SCORES, NAMES)
    for a in NAMES:
        for b in NAMES:
            apart = abs(test.mean_ranks[a] - test.mean_ranks[b]) > test.critical_difference
            assert (test.nemenyi.loc[a, b] < 0.05) == apart


def test_wilcoxon_is_scipys_corrected_by_holm_over_all_pairs():
    test = compare_scores(SCORES, NAMES)
    pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
    raw = [
        scipy.stats.wilcoxon(SCORES[:, i], SCORES[:, j], zero_method="zsplit").pvalue
        for i, j in pairs
    ]
    ascending = np.argsort(raw)
    stepped = np.maximum.accumulate(np.sort(raw) * np.arange(len(raw), 0, -1))
    expected = {
        frozenset(NAMES[k] for k in pairs[which]): min(1, p)
        for which, p in zip(ascending, stepped, strict=True)
    }
    found = {frozenset((pair.better, pair.worse)): pair.p_holm for pair in test.pairs}
    assert found == pytest.approx(expected)
    best = next(pair for pair in test.pairs if {pair.better, pair.worse} == {"a", "d"})
    assert (best.better, best.median_gain) == ("a", pytest.approx(0.6))


@pytest.mark.parametrize("n_datasets", [6, 14, 20, 60])
def test_all_pairs_at_once_are_tested_as_one_by_one(n_datasets):
    draw = np.random.default_rng(n_datasets)
    loss = pd.DataFrame(draw.normal(size=(n_datasets, 12)))
    # Pairs with differences of zero, and with differences of the same size.
    loss.loc[:2, 3] = loss.loc[:2, 4]
    loss[5] = loss[6] + draw.choice([-0.5, 0.25, 0.5], n_datasets)
    loss.loc[0, 7:] = loss.loc[0].max()
    long = loss.melt(var_name="imputer", value_name="loss")
    expected = scikit_posthocs.posthoc_wilcoxon(
        long, val_col="loss", group_col="imputer", zero_method="zsplit", p_adjust="holm"
    ).to_numpy()
    first, second = np.triu_indices(12, 1)
    values = loss.to_numpy()
    found = holm(wilcoxon_p(values[:, first] - values[:, second]))
    np.testing.assert_allclose(found, expected[first, second], rtol=1e-12)


def test_too_few_datasets_are_refused_with_the_number_needed():
    test = compare_scores(SCORES[:3], NAMES)
    assert not test.pairs
    assert f"at least {MIN_DATASETS} are needed" in test.refusal
    # Six pairs: 6 × 2 / 2^N < 0.05 from N = 8 on.
    assert test.datasets_needed == 8


def test_imputer_unavailable_somewhere_is_left_out_and_named():
    scores = SCORES.copy()
    scores[3, 2] = np.nan
    test = compare_scores(scores, NAMES, lost="unavailable")
    assert (test.imputers, test.left_out, test.failed) == (("a", "b", "d"), ("c",), {})


def test_failures_count_as_the_worst_and_nobody_is_dropped_for_them():
    scores = SCORES.copy()
    scores[3, 0] = scores[5, 0] = np.nan
    test = compare_scores(scores, NAMES)
    assert (set(test.imputers), test.left_out, test.failed) == (set(NAMES), (), {"a": 2})
    filled = scores.copy()
    for row in (3, 5):
        filled[row, 0] = np.nanmax(scores[row])
    # Ranked behind the worst; in value no worse than it.
    behind = np.where(np.isnan(scores), np.inf, scores)
    ranks = scipy.stats.rankdata(behind, axis=1)
    assert test.mean_ranks.to_dict() == pytest.approx(dict(zip(NAMES, ranks.mean(axis=0))))  # noqa: B905
    assert test.statistic == pytest.approx(scipy.stats.friedmanchisquare(*ranks.T).statistic)
    pair = next(pair for pair in test.pairs if {pair.better, pair.worse} == {"a", "d"})
    assert pair.median_gain == pytest.approx(abs(np.median(filled[:, 3] - filled[:, 0])))


def test_two_imputers_are_not_enough_for_friedman():
    assert "three or more" in compare_scores(SCORES[:, :2], NAMES[:2]).refusal


def test_identical_imputers_are_never_told_apart():
    scores = np.column_stack([SCORES, SCORES[:, 0]])
    test = compare_scores(scores, [*NAMES, "twin"])
    twins = next(pair for pair in test.pairs if {pair.better, pair.worse} == {"a", "twin"})
    assert twins.p_holm == 1
