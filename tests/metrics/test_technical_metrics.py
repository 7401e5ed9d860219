"""Noise left and signal kept: nothing done, all alike, and shares in between, by hand."""

import math

import numpy as np
import pytest

from impbench.metrics.cells import intervals
from impbench.metrics.technical import (
    technical_error,
    technical_groups_error,
    technical_noise_left,
    technical_signal_error,
)

CONTROL = np.array([False, True, False, True, True])
CELLS, CONTROLS = np.array([[6.0, 3.0, 2.0], [4.0, 3.0, 2.0]]), np.array([[2.0, 1, 0.5]] * 3)
MOMENTS = np.empty((5, 3))
MOMENTS[~CONTROL], MOMENTS[CONTROL] = CELLS, CONTROLS
"""Cells: var x 10, cov 6, var y 4. Controls: var x 6, cov 3, var y 1.5. So B = 4."""


def test_scores_by_hand():
    assert technical_error(MOMENTS, CONTROL) == pytest.approx((4 - 2 * (6 - 3) + 4) / 4)
    assert technical_noise_left(MOMENTS, CONTROL) == pytest.approx(1.5 / 6)
    assert technical_signal_error(MOMENTS, CONTROL) == pytest.approx(1 - 3 / 4)


def test_extremes_and_shrinking_by_hand():
    xx = MOMENTS[:, :1]
    as_they_are, alike = xx * [1, 1, 1], xx * [1, 0, 0]
    assert technical_error(alike, CONTROL) == pytest.approx(1)
    assert technical_noise_left(alike, CONTROL) == 0
    assert technical_signal_error(alike, CONTROL) == 1
    assert technical_error(as_they_are, CONTROL) == pytest.approx(6 / 4)
    assert technical_noise_left(as_they_are, CONTROL) == 1
    assert technical_signal_error(as_they_are, CONTROL) == 0
    # Everything drawn to the mean by B / (B + T) scores T / (B + T), the least for such a method.
    best = [technical_error(xx * [1, f, f * f], CONTROL) for f in (0.3, 4 / 10, 0.5)]
    assert best[1] == pytest.approx(6 / 10)
    assert best[1] == min(best)


def test_where_all_is_noise_no_signal_can_be_lost():
    noise = MOMENTS * np.where(CONTROL, 10, 1)[:, None]
    assert math.isnan(technical_signal_error(noise, CONTROL))


def test_every_draw_for_the_interval_holds_its_share_of_controls():
    rng = np.random.default_rng(0)
    control = np.arange(90) % 3 > 0
    # Controls of hardly less variance than cells, all the same: nothing can vary but their number.
    moments = np.where(control, 1 / 60, 1.1 / 30)[:, None] * np.ones(3)
    sums = technical_error_sums(moments, control)
    assert len(sums[0]) == 30
    (bounds,) = intervals([sums], [False])
    assert bounds == pytest.approx((10, 10))
    noisy = moments * rng.uniform(0.9, 1.1, (90, 1))
    low, high = intervals([technical_error_sums(noisy, control)], [False])[0]
    assert low < technical_error(noisy, control) < high


def technical_error_sums(moments, control):
    return technical_error.per_cell(moments, control)


def test_group_differences_by_hand():
    x = np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 0.0]])
    assert technical_groups_error(np.stack([x, x + 3])) == pytest.approx(0)
    assert technical_groups_error(np.stack([x, 0.25 * x])) == pytest.approx(0.75)
    assert technical_groups_error(np.stack([x, 0 * x])) == 1
    assert math.isnan(technical_groups_error(np.stack([0 * x, x])))
