import math

import numpy as np
import pytest

from impbench.metrics.coverage import (
    coverage_50,
    coverage_90,
    coverage_95,
    interval_width,
    undercoverage,
    undercoverage_50,
    undercoverage_90,
    undercoverage_95,
)

UNIFORM = (np.arange(100_000) + 0.5) / 100_000


@pytest.mark.parametrize("metric", [coverage_50, coverage_90, coverage_95, undercoverage])
def test_uniform_shares_are_calibrated(metric):
    assert metric(UNIFORM) == pytest.approx(0, abs=1e-4)


def test_truth_always_in_the_tails_misses_every_interval():
    tails = np.array([0.0, 1.0] * 10)
    assert coverage_50(tails) == 0.5
    assert coverage_90(tails) == 0.9
    assert coverage_95(tails) == 0.95
    assert undercoverage(tails) == pytest.approx((0.5 + 0.9 + 0.95) / 3)


def test_intervals_too_wide_are_an_error_but_lack_no_coverage():
    middle = np.full(10, 0.5)
    assert coverage_90(middle) == pytest.approx(0.1)
    assert undercoverage(middle) == 0


def test_what_each_interval_lacks_is_its_error_only_where_it_is_too_narrow():
    # 3 of 5 in the middle half, which is more than half; 3 of 5 in 90 and 95 %, which is less.
    pit = np.array([0.01, 0.99, 0.4, 0.5, 0.6])
    assert undercoverage_50(pit) == 0
    assert undercoverage_90(pit) == pytest.approx(0.3)
    assert undercoverage_95(pit) == pytest.approx(0.35)
    assert undercoverage(pit) == pytest.approx((0.3 + 0.35) / 3)


def test_worked_example():
    pit = np.array([0.01, 0.03, 0.2, 0.5, 0.74])
    assert coverage_50(pit) == pytest.approx(abs(2 / 5 - 0.5))
    assert coverage_90(pit) == pytest.approx(abs(3 / 5 - 0.9))
    assert coverage_95(pit) == pytest.approx(abs(4 / 5 - 0.95))


@pytest.mark.parametrize("metric", [coverage_50, undercoverage, undercoverage_50, interval_width])
def test_methods_without_intervals_have_no_score(metric):
    assert math.isnan(metric(np.empty(0)))


def test_width_is_the_mean():
    assert interval_width(np.array([1.0, 3.0])) == 2
