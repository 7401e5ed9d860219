import math

import numpy as np
import pytest

from impbench.metrics.distribution import (
    cv_rmsd,
    cv_within,
    gini_mse,
    gini_pearson,
    zeros_high,
    zeros_low,
    zeros_rmsd,
    zeros_silent,
)

NAN = math.nan


def test_gini_scores_by_hand_over_genes_with_a_reference():
    true = np.array([0.2, 0.4, NAN, 0.9])
    found = np.array([0.3, 0.4, 0.9, NAN])
    assert gini_mse(found, true) == pytest.approx((0.01 + 0 + 0.81) / 3)
    assert gini_pearson(found, true) == pytest.approx(
        np.corrcoef([0.3, 0.4, 0], [0.2, 0.4, 0.9])[0, 1]
    )


def test_gini_scores_without_reference_or_spread():
    assert math.isnan(gini_mse(np.ones(2), np.full(2, NAN)))
    assert math.isnan(gini_pearson(np.ones(2), np.full(2, 0.3)))
    assert gini_pearson(np.full(3, 0.5), np.array([0.1, 0.2, 0.3])) == 0


def test_variation_scores_by_hand():
    found = np.array([[1.0, 2, NAN], [0, 4, 3]])
    true = np.array([[1.5, 2, 1], [NAN, 2, 3]])
    assert cv_within(found) == 2
    assert cv_rmsd(found, true) == pytest.approx(math.sqrt((0.25 + 0 + 4 + 0) / 4))
    assert math.isnan(cv_within(np.full((1, 2), NAN)))
    assert math.isnan(cv_rmsd(found, np.full((2, 3), NAN)))


def test_zeros_by_bin_by_hand():
    bins = np.array([0, 1, 1, 2, 2])
    found = np.array([0.9, 0.5, 0.7, 0.1, 0.3])
    true = np.array([1.0, 0.7, 0.7, 0.0, 0.0])
    assert zeros_silent(found, bins) == pytest.approx(0.9)
    assert zeros_low(found, bins) == pytest.approx(0.6)
    assert zeros_high(found, bins) == pytest.approx(0.2)
    # Gaps of the bins: 0.1, 0.1 and 0.2; within a bin, too many and too few make up for another.
    assert zeros_rmsd(found, true, bins) == pytest.approx(math.sqrt((0.01 + 0.01 + 0.04) / 3))
    assert math.isnan(zeros_silent(found, bins + 1))
