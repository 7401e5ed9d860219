"""How near mixtures come to what is in them: exact, flattened and noisy ones, by hand."""

import math

import numpy as np
import pytest

from impbench.metrics.mixture import (
    mixture_error,
    mixture_flattening,
    mixture_mse,
    mixture_sharpening,
    mixture_slope_error,
    slopes,
)

TRUE = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 3.0]])
"""Contrasts are -1, 0, 1 and -1, -1, 2."""

SHIFT = np.array([1.0, -3.0])

BOTH = np.array([True, True])


def test_errors_by_hand():
    found = np.array([[2.0, 0.0], [2.0, 0.0], [5.0, 0.0]])
    # Contrasts found are -1, -1, 2 and 0, 0, 0.
    assert mixture_error(found, TRUE) == pytest.approx(((0 + 1 + 1) + (1 + 1 + 4)) / (2 + 6))
    assert mixture_mse(found, TRUE) == pytest.approx((1 + 0 + 4 + 9) / 6)


def test_a_shift_of_a_gene_is_no_error_of_contrasts():
    assert mixture_error(TRUE + SHIFT, TRUE) == pytest.approx(0, abs=1e-12)
    assert mixture_mse(TRUE + SHIFT, TRUE) == pytest.approx(5)


def test_slopes_are_those_of_a_line_fitted_to_each_gene():
    rng = np.random.default_rng(0)
    true, found = rng.normal(size=(2, 30, 4))
    fitted = [np.polyfit(true[:, gene], found[:, gene], 1)[0] for gene in range(4)]
    np.testing.assert_allclose(slopes(found, true), fitted)


def test_flattening_and_sharpening_add_up_to_the_slope_error():
    found = TRUE * [0.25, 1.5]
    assert mixture_flattening(found, TRUE, BOTH) == pytest.approx(0.75 / 2)
    assert mixture_sharpening(found, TRUE, BOTH) == pytest.approx(0.5 / 2)
    assert mixture_slope_error(found, TRUE, BOTH) == pytest.approx(1.25 / 2)
    assert mixture_slope_error(found, TRUE, ~BOTH | [True, False]) == pytest.approx(0.75)


def test_without_contrast_there_is_no_score():
    flat = np.ones((3, 2))
    assert math.isnan(mixture_error(TRUE, flat))
    assert math.isnan(mixture_slope_error(TRUE, flat, BOTH))
    assert math.isnan(mixture_slope_error(TRUE, TRUE, ~BOTH))
