"""p_bio: the authors' numbers, the model's limits, and laws it must obey."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from impbench_plugins.maskclass.biozero import Biozero, fit_dropout_curve
from scipy.special import expit


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_matrix, sp.csr_array])
@pytest.mark.parametrize("name", ["small_rare", "small_batch"])
def test_p_bio_equals_the_authors_to_1e_5(case, name, layout):
    arrays = case(name).arrays
    counts = layout(arrays["counts"].astype(np.int64))
    biozero = Biozero.fit(counts)
    unadjusted, adjusted = biozero.p_bio(counts, alpha=0), biozero.p_bio(counts)
    assert unadjusted.dtype == adjusted.dtype == np.float32
    np.testing.assert_allclose(unadjusted, arrays["p_bio_unadjusted"], atol=1e-5)
    np.testing.assert_allclose(adjusted, arrays["p_bio"], atol=1e-5)


def test_curve_recovers_the_parameters_it_was_drawn_from():
    log_mean = np.linspace(-3, 9, 200)
    curve = fit_dropout_curve(log_mean, expit(-0.8 * (log_mean - 2.5)))
    assert curve.k == pytest.approx(-0.8, abs=1e-4)
    assert curve.x0 == pytest.approx(2.5, abs=1e-4)


def test_a_curve_that_would_rise_falls_with_slope_minus_one():
    log_mean = np.linspace(-3, 9, 200)
    assert fit_dropout_curve(log_mean, expit(0.8 * (log_mean - 2.5))).k == -1


def test_a_curve_least_squares_cannot_fit_comes_from_a_straight_line_through_the_logits():
    log_mean = np.array([1.0])
    curve = fit_dropout_curve(log_mean, np.array([0.4]))
    assert np.isfinite([curve.k, curve.x0]).all()
    assert curve.k < 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_p_bio_is_a_probability_and_zero_where_counted(seed):
    rng = np.random.default_rng(seed)
    mean = rng.gamma(0.6, 3, (1, 12)) * rng.integers(0, 2, (1, 12))
    counts = rng.poisson(np.repeat(mean, 9, axis=0)) * rng.integers(0, 2, (9, 12))
    p_bio = Biozero.fit(counts).p_bio(counts)
    assert np.isfinite(p_bio).all()
    assert ((p_bio >= 0) & (p_bio <= 1)).all()
    assert not p_bio[counts > 0].any()


def test_permuting_cells_permutes_p_bio(case):
    counts = case("small_rare").observed.counts
    order = np.random.default_rng(3).permutation(len(counts))
    straight = Biozero.fit(counts).p_bio(counts)
    permuted = Biozero.fit(counts[order]).p_bio(counts[order])
    np.testing.assert_allclose(permuted, straight[order], atol=1e-6)


def test_an_unexpressed_gene_is_biologically_zero_and_an_empty_cell_is_harmless():
    counts = np.random.default_rng(0).poisson(3.0, (40, 15))
    counts[:, 4] = 0
    counts[7] = 0
    biozero = Biozero.fit(counts)
    p_bio = biozero.p_bio(counts, alpha=0)
    assert (p_bio[:, 4] > 0.99).all()
    assert biozero.size_factor[7] == 1
    assert np.isfinite(p_bio).all()


def test_no_second_matrix_of_that_size_is_held():
    counts = sp.random(6000, 400, density=0.2, format="csr", random_state=0, dtype=np.float32)
    counts.data = np.ceil(counts.data * 9)
    biozero = Biozero.fit(counts)
    tracemalloc.start()
    p_bio = biozero.p_bio(counts)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.5 * p_bio.nbytes  # with float64 copies it would be above 3
