import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import pearsonr

from impbench.metrics.masked import (
    masked_mae,
    masked_mse,
    masked_nmse,
    masked_pearson,
    masked_rmse,
)

TRUTH = np.array([3.0, 4.0])
IMPUTED = np.array([3.0, 2.0])
ALL = [masked_rmse, masked_mae, masked_nmse, masked_mse, masked_pearson]

entries = arrays(np.float64, 12, elements=st.floats(0.5, 16))


def test_worked_example():
    assert masked_rmse(IMPUTED, TRUTH) == pytest.approx(math.sqrt(2))
    assert masked_mse(IMPUTED, TRUTH) == pytest.approx(2)
    assert masked_mae(IMPUTED, TRUTH) == pytest.approx(1)
    assert masked_nmse(IMPUTED, TRUTH) == pytest.approx(2 / 5)
    assert masked_pearson(IMPUTED, TRUTH) == pytest.approx(-1)


@settings(deadline=None)
@given(entries)
def test_leaving_the_zeros_scores_one_and_the_truth_scores_best(truth):
    assert masked_nmse(np.zeros(12), truth) == pytest.approx(1)
    assert masked_nmse(truth, truth) == masked_rmse(truth, truth) == masked_mae(truth, truth) == 0


@settings(deadline=None)
@given(entries, entries)
def test_pearson_is_scipys(imputed, truth):
    if min(np.ptp(imputed), np.ptp(truth)) > 1e-3:
        assert masked_pearson(imputed, truth) == pytest.approx(
            pearsonr(imputed, truth)[0], abs=1e-9
        )


def test_pearson_of_one_value_everywhere_is_zero_and_of_constant_truth_nan():
    assert masked_pearson(np.ones(5), np.arange(5.0)) == 0
    assert math.isnan(masked_pearson(np.arange(5.0), np.ones(5)))


@pytest.mark.parametrize("metric", ALL)
def test_score_over_no_entries_is_nan(metric):
    assert math.isnan(metric(np.empty(0), np.empty(0)))
