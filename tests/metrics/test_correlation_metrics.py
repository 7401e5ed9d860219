import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr

from impbench.metrics import blocks
from impbench.metrics.correlation import pearson_cell, pearson_gene


def _pair(seed, shape=(30, 7)):
    rng = np.random.default_rng(seed)
    truth = rng.gamma(2, 1, shape).astype(np.float32)
    return (truth + rng.normal(0, 1, shape)).astype(np.float32), truth


@given(st.integers(0, 1000))
def test_scores_are_the_mean_of_scipys_pearson(seed):
    imputed, truth = _pair(seed)
    by_gene = [pearsonr(imputed[:, j], truth[:, j]).statistic for j in range(7)]
    by_cell = [pearsonr(imputed[i], truth[i]).statistic for i in range(30)]
    assert pearson_gene(imputed, truth) == pytest.approx(np.mean(by_gene), abs=1e-6)
    assert pearson_cell(imputed, truth) == pytest.approx(np.mean(by_cell), abs=1e-6)


def test_worked_example():
    truth = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]])
    imputed = np.array([[0.0, 1.0], [2.0, 2.0], [4.0, 0.0]])
    # Gene 1: imputed is twice the truth, r = 1. Gene 2: deviations (0, −1, 1) and (0, 1, −1).
    assert pearson_gene(imputed, truth) == pytest.approx(0)
    # Cells 1 and 2 have r = 1 and no r (imputed 2, 2: constant, counts as 0); cell 3 no true r.
    assert pearson_cell(imputed, truth) == pytest.approx((1 + 0) / 2)


@given(st.integers(0, 1000), st.floats(0.1, 10), st.floats(-5, 5))
def test_scaling_and_shifting_the_imputation_changes_nothing(seed, factor, shift):
    imputed, truth = _pair(seed)
    moved = (imputed * factor + shift).astype(np.float64)
    for score in (pearson_gene, pearson_cell):
        assert score(moved, truth) == pytest.approx(score(imputed, truth), abs=1e-4)


def test_transposing_turns_one_score_into_the_other():
    imputed, truth = _pair(0)
    assert pearson_gene(imputed.T, truth.T) == pytest.approx(pearson_cell(imputed, truth))


def test_gene_with_constant_truth_is_left_out():
    imputed, truth = _pair(1)
    constant = truth.copy()
    constant[:, 3] = 0.1
    kept = [j for j in range(7) if j != 3]
    expected = pearson_gene(imputed[:, kept], truth[:, kept])
    assert pearson_gene(imputed, constant) == pytest.approx(expected)


def test_gene_made_constant_by_the_imputation_counts_as_zero():
    imputed, truth = _pair(2)
    kept = [j for j in range(7) if j != 3]
    others = pearson_gene(imputed[:, kept], truth[:, kept])
    # 0.1 has no exact float: a mean taken of it must not leave a spurious deviation.
    imputed[:, 3] = 0.1
    assert pearson_gene(imputed, truth) == pytest.approx(others * 6 / 7)


def test_no_defined_correlation_at_all_is_nan():
    _, truth = _pair(3)
    assert math.isnan(pearson_gene(truth[:1], truth[:1])), "one cell"
    assert math.isnan(pearson_cell(truth[:, :1], truth[:, :1])), "one gene"
    assert math.isnan(pearson_gene(truth, np.ones_like(truth)))


def test_nan_in_the_imputation_shows_in_the_score():
    imputed, truth = _pair(4)
    imputed[2, 2] = np.nan
    assert math.isnan(pearson_gene(imputed, truth))
    assert math.isnan(pearson_cell(imputed, truth))


def test_identity_scores_exactly_one_and_never_above():
    _, truth = _pair(5, (50, 9))
    assert pearson_gene(truth, truth) == pytest.approx(1, abs=1e-12)
    assert pearson_gene(truth, truth) <= 1
    assert pearson_cell(truth, truth) <= 1


def test_result_does_not_depend_on_the_block_size(monkeypatch):
    imputed, truth = _pair(6)
    whole = pearson_gene(imputed, truth), pearson_cell(imputed, truth)
    monkeypatch.setattr(blocks, "BLOCK", 21)
    assert (pearson_gene(imputed, truth), pearson_cell(imputed, truth)) == pytest.approx(whole)


@pytest.mark.parametrize("metric", [pearson_gene, pearson_cell])
def test_every_correlation_says_what_a_reader_must_know(metric):
    assert (metric.direction, metric.range, metric.ideal) == ("max", (-1, 1), 1)
    assert metric.reference
    assert metric.summary.endswith(".")
