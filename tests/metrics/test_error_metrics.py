import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import mean_squared_error

from impbench.metrics.cells import of_cells
from impbench.metrics.error import biozero_mse, dropout_mse, mse, nonzero_mse, squared_errors

TRUTH = np.array([[0.0, 2.0, 4.0], [0.0, 0.0, 6.0]], dtype=np.float32)
OBSERVED = np.array([[0.0, 0.0, 4.0], [0.0, 0.0, 5.0]], dtype=np.float32)
IMPUTED = np.array([[1.0, 3.5, 4.0], [0.0, 3.0, 4.0]], dtype=np.float32)
# Errors: 1, 1.5, 0 | 0, 3, −2; squared: 1, 2.25, 0 | 0, 9, 4.

values = st.floats(0, 16, width=32)
matrices = arrays(np.float32, (5, 4), elements=values)


def test_worked_example():
    assert mse(IMPUTED, TRUTH) == pytest.approx(16.25 / 6)
    assert biozero_mse(IMPUTED, TRUTH) == pytest.approx((1 + 0 + 9) / 3)
    assert dropout_mse(IMPUTED, TRUTH, OBSERVED) == pytest.approx(2.25)
    assert nonzero_mse(IMPUTED, TRUTH, OBSERVED) == pytest.approx((0 + 4) / 2)


def test_one_walk_gives_every_kind_the_same_bits_as_a_walk_of_its_own():
    rng = np.random.default_rng(4)
    truth = np.log2(1 + rng.poisson(1.0, size=(700, 300))).astype(np.float32)
    observed = np.where(rng.random(truth.shape) < 0.4, np.float32(0), truth)
    imputed = truth + rng.normal(size=truth.shape).astype(np.float32)
    scores = {kind: of_cells(s) for kind, s in squared_errors(imputed, truth, observed).items()}
    assert scores == {
        "all": mse(imputed, truth),
        "biozero": biozero_mse(imputed, truth),
        "dropout": dropout_mse(imputed, truth, observed),
        "nonzero": nonzero_mse(imputed, truth, observed),
    }


@given(matrices, matrices)
def test_mse_is_sklearns(imputed, truth):
    expected = mean_squared_error(truth.astype(float), imputed.astype(float))
    assert mse(imputed, truth) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@given(matrices, matrices, arrays(np.bool_, (5, 4)))
def test_biozeros_dropouts_and_nonzeros_partition_the_squared_error(imputed, truth, dropped):
    observed = np.where(dropped, np.float32(0), truth)
    parts = [
        (biozero_mse(imputed, truth), (truth == 0).sum()),
        (dropout_mse(imputed, truth, observed), ((observed == 0) & (truth > 0)).sum()),
        (nonzero_mse(imputed, truth, observed), (observed > 0).sum()),
    ]
    total = sum(score * n for score, n in parts if n)
    assert total / truth.size == pytest.approx(mse(imputed, truth), rel=1e-9, abs=1e-12)
    assert all(math.isnan(score) == (n == 0) for score, n in parts)


def test_score_over_no_entries_is_nan():
    ones = np.ones((2, 2), dtype=np.float32)
    assert math.isnan(biozero_mse(ones, ones))
    assert math.isnan(dropout_mse(ones, ones, ones))
    assert math.isnan(nonzero_mse(ones, ones, np.zeros_like(ones)))
    assert math.isnan(mse(np.empty((0, 3)), np.empty((0, 3))))


def test_nan_in_the_imputation_shows_in_the_score():
    broken = IMPUTED.copy()
    broken[0, 0] = np.nan
    assert math.isnan(mse(broken, TRUTH))


def test_large_float32_matrices_are_summed_exactly_in_bounded_memory():
    # Four million float32 squares of 0.1: float32 sums would be off in the fourth digit.
    truth = np.zeros((4000, 1000), dtype=np.float32)
    imputed = np.full_like(truth, 0.1)
    imputed[-1] = 3
    expected = (3999 * 1000 * float(np.float32(0.1)) ** 2 + 1000 * 9) / 4e6
    tracemalloc.start()
    try:
        score = mse(imputed, truth)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert score == pytest.approx(expected, rel=1e-13)
    assert peak < 48 * 2**20, "in float64 each whole matrix alone takes 31 MiB, and there are four"


@pytest.mark.parametrize("metric", [mse, biozero_mse, dropout_mse, nonzero_mse])
def test_every_error_metric_says_what_a_reader_must_know(metric):
    assert metric.direction == "min"
    assert metric.unit == "log2²"
    assert metric.ideal == 0
    assert metric.title
    assert metric.reference
    assert metric.summary.endswith(".")
