import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from impbench_plugins.saver.posterior import (
    FANO,
    VARIANCE,
    VARIATION,
    _log_rising,
    _minimise,
    cost,
    posterior,
    prior,
)
from scipy import integrate, optimize, special, stats

FAMILIES = (VARIATION, FANO, VARIANCE)


@pytest.fixture
def gene():
    random = np.random.default_rng(0)
    size_factors = random.uniform(0.5, 2, 60)
    mean = random.gamma(4, 0.5, 60)
    counts = random.poisson(size_factors * random.gamma(2, mean / 2)).astype(float)
    return counts, mean, size_factors


@pytest.mark.parametrize("family", FAMILIES)
def test_cost_is_the_likelihood_integrated_over_the_prior(family, gene):
    counts, mean, size_factors = (values[:8] for values in gene)
    costs = []
    for theta in (0.2, 0.7):
        shape, rate = prior(family, theta, mean)
        np.testing.assert_allclose(shape / rate, mean)
        total = 0.0
        for x, s, a, b in zip(counts, size_factors, shape, rate, strict=True):
            density = stats.gamma(a, scale=1 / b)
            likelihood, _ = integrate.quad(
                lambda v, x=x, s=s, d=density: stats.poisson.pmf(x, s * v) * d.pdf(v), 0, np.inf
            )
            total -= np.log(likelihood)
        constant = (special.gammaln(counts + 1) - counts * np.log(size_factors)).sum()
        costs.append(total - constant)
        assert cost(family, theta, counts, mean, size_factors) == pytest.approx(costs[-1], rel=1e-6)
    assert costs[0] != pytest.approx(costs[1], rel=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_families_hold_what_their_name_says_constant(family):
    mean = np.array([0.5, 1.0, 4.0])
    shape, rate = prior(family, 0.3, mean)
    variance = shape / rate**2
    held = {VARIATION: variance / mean**2, FANO: variance / mean, VARIANCE: variance}
    np.testing.assert_allclose(held[family], 0.3)


def test_estimate_is_the_posterior_mean_by_integration(gene):
    counts, mean, size_factors = gene
    estimate, std = posterior(counts, mean, size_factors)
    # Recover the prior from the posterior gamma, then integrate it against the Poisson likelihood.
    shape, rate = (estimate / std) ** 2, estimate / std**2
    for i in range(5):
        density = stats.gamma(shape[i] - counts[i], scale=1 / (rate[i] - size_factors[i]))
        moments = [
            integrate.quad(
                lambda v, k=k, i=i, d=density: (
                    v**k * stats.poisson.pmf(counts[i], size_factors[i] * v) * d.pdf(v)
                ),
                0,
                np.inf,
            )[0]
            for k in range(3)
        ]
        assert density.mean() == pytest.approx(mean[i], rel=1e-6)
        assert estimate[i] == pytest.approx(moments[1] / moments[0], rel=1e-5)
        variance = moments[2] / moments[0] - (moments[1] / moments[0]) ** 2
        assert std[i] == pytest.approx(np.sqrt(variance), rel=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_optimum_is_scipys(family, gene):
    theta, lowest = _minimise(family, *gene, 5.0)
    best = optimize.minimize_scalar(
        lambda t: cost(family, t, *gene), bounds=(0, 5), method="bounded", options={"xatol": 1e-6}
    )
    assert lowest == pytest.approx(best.fun, abs=1e-6)
    assert theta == pytest.approx(best.x, abs=1e-3)


def test_counts_that_fit_the_prediction_are_replaced_by_it():
    # No spread beyond Poisson: the likelihood prefers θ near 0, the averaged θ stays small.
    size_factors = np.ones(200)
    mean = np.full(200, 9.0)
    counts = np.round(stats.poisson(9).ppf((np.arange(200) + 0.5) / 200))
    estimate, _ = posterior(counts, mean, size_factors)
    assert np.abs(estimate - 9).max() < 0.2 * np.abs(counts - 9).max()


def test_counts_that_do_not_vary_leave_the_prediction():
    estimate, std = posterior(np.full(4, 3.0), np.full(4, 3.0), np.ones(4))
    np.testing.assert_array_equal(estimate, 3.0)
    np.testing.assert_array_equal(std, 0.0)


@settings(max_examples=200)
@given(shape=st.floats(1e-3, 1e9), x=st.integers(1, 5000), rate=st.floats(1e-3, 1e6))
def test_log_rising_factorial_is_the_sum_of_logs(shape, x, rate):
    exact = math.fsum(np.log((shape + np.arange(x)) / rate))
    assert _log_rising(shape, float(x), rate) == pytest.approx(exact, rel=1e-11, abs=1e-11 * x)


@settings(max_examples=200)
@given(shape=st.floats(1e-3, 1e3), x=st.floats(0.01, 500))
def test_log_rising_factorial_of_a_fraction_is_a_ratio_of_gamma_functions(shape, x):
    exact = special.gammaln(shape + x) - special.gammaln(shape)
    assert _log_rising(shape, x, 1.0) == pytest.approx(exact, rel=1e-9, abs=1e-9)
