"""LTMG: mixtures against R's mixtools and against the likelihood itself; states; the fault of K."""

import numpy as np
import pytest
from impbench_plugins.scgnn import Scgnn
from impbench_plugins.scgnn.censored_mixture import fit_censored_mixture
from impbench_plugins.scgnn.ltmg import find_states
from impbench_plugins.scgnn.normal_mixture import fit_normal_mixture
from impbench_plugins.shared.r_random import Draws
from scipy.optimize import minimize
from scipy.stats import norm

from impbench import Context

SHORT = {"epochs": 4, "em_iterations": 1, "em_epochs": 2, "quickmode": True, "k": 3}


def test_limit_of_all_genes_comes_from_mixtools_numbers():
    """Expected numbers were printed by mixtools 2.0.0: set.seed(123), noise, then normalmixEM."""
    draws = Draws(123)
    smallest = np.log1p(np.tile([1, 1, 1, 2, 5], 12)) + 1e-4 * draws.normals(60)
    fit = fit_normal_mixture(np.log(smallest), 2, draws)
    np.testing.assert_allclose(fit.proportions, [0.59999280288274359, 0.40000719711725641])
    np.testing.assert_allclose(fit.means, [-0.36651391120116389, 0.33862489287659253])
    np.testing.assert_allclose(fit.sds, [0.00013851940740226734, 0.24458050328356859])
    np.testing.assert_allclose(draws.uniforms(1), [0.14190690778195858])
    heights = fit.proportions * norm.pdf(fit.crossing(), fit.means, fit.sds)
    np.testing.assert_allclose(heights[0], heights[1])
    assert -0.3665 < fit.crossing() < 0.3386

    limit = find_states(np.tile(np.log1p(np.tile([1, 1, 1, 2, 5], 12)), (3, 1))).limit
    assert limit == pytest.approx(fit.crossing(), abs=1e-9)


def test_starts_that_collapse_are_drawn_anew_as_by_mixtools():
    draws = Draws(10)  # Its first start collapses, its second does not.
    fit = fit_normal_mixture(np.array([0, 0.1, 0.3, 0.35, 0.6, 1, 1.1, 3, 3.5, 4]), 3, draws)
    np.testing.assert_allclose(
        fit.means, [0.270397201993592630, 1.050047482713443423, 3.499999990591061940]
    )
    np.testing.assert_allclose(
        fit.sds, [0.20945869484516158, 0.0499999774538291, 0.4082483175558], rtol=1e-6
    )
    np.testing.assert_allclose(draws.uniforms(1), [0.77077153], rtol=1e-7)
    draws = Draws(1)  # R: "Too many tries!"
    assert fit_normal_mixture(np.array([0, 0, 0, 0, 0, 0, 1, 1.5, 2, 2.5, 3, 7]), 2, draws) is None
    np.testing.assert_allclose(draws.uniforms(1), [0.32216805662028491])
    assert fit_normal_mixture(np.arange(3.0), 3, draws) is None  # R: a bin of one has no deviation.


@pytest.fixture(scope="module")
def censored():
    """A gene of which a third is below the limit, and its true parameters."""
    rng = np.random.default_rng(1)
    y = np.concatenate([rng.normal(-1, 0.7, 900), rng.normal(1.2, 0.3, 600)])
    return y[y > -0.8], int((y <= -0.8).sum()), -0.8, [[0.6, 0.4], [-1, 1.2], [0.7, 0.3]]


def test_censored_fit_is_where_the_likelihood_is_largest(censored):
    seen, n_below, limit, _ = censored

    def loss(free):
        p = np.array([1, np.exp(-free[0])]) / (1 + np.exp(-free[0]))
        mean, sd = free[1:3], np.exp(free[3:])
        below = n_below * np.log(p @ norm.cdf(limit, mean, sd))
        return -below - np.log(norm.pdf(seen[:, None], mean, sd) @ p).sum()

    best = minimize(loss, [0, -1, 1, 0, 0], method="BFGS", options={"gtol": 1e-6}).x
    fit = fit_censored_mixture(seen, n_below, limit, 2)
    # A hundred rounds end this near; standard errors are a thousand times as large.
    np.testing.assert_allclose(fit[0, 0], 1 / (1 + np.exp(-best[0])), atol=5e-5)
    np.testing.assert_allclose(fit[1], best[1:3], atol=5e-5)
    np.testing.assert_allclose(fit[2], np.exp(best[3:]), atol=5e-5)


def test_censored_mixture_is_recovered_and_one_blind_to_the_limit_is_not(censored):
    seen, n_below, limit, truth = censored
    np.testing.assert_allclose(fit_censored_mixture(seen, n_below, limit, 2), truth, atol=0.08)
    blind = fit_censored_mixture(seen, 0, limit, 2)
    assert abs(blind[1, 0] - truth[1][0]) > 0.5


def test_fit_that_breaks_down_is_none_and_far_tails_are_not():
    assert fit_censored_mixture(np.array([1.0]), 5, 0.0, 2) is None
    assert fit_censored_mixture(np.ones(4), 5, 0.0, 2) is None
    # Both components end up 100 deviations above the limit.
    far = fit_censored_mixture(np.array([5, 5.01, 5.02, 9, 9.01, 9.02]), 2, 0.0, 2)
    assert np.isfinite(far).all()
    assert far[0].sum() == pytest.approx(1)


@pytest.fixture(scope="module")
def two_and_three():
    """Values of a gene with two states and of one with three, and the states.

    Half of what is in the lowest state is too low to be found.
    """
    rng = np.random.default_rng(3)
    truth = np.column_stack([np.arange(240) % 2, np.arange(240) % 3])
    logs = np.array([-1.0, 2.0, 4.0])[truth] + rng.normal(0, 0.4, truth.shape)
    return np.where(logs > -1, np.exp(logs), 0), truth


def test_states_are_found_and_number_them_from_the_lowest(two_and_three):
    values, truth = two_and_three
    found = find_states(values, repaired=True)
    assert found.n_states.tolist() == [2, 3]
    assert (found.states == truth).mean() > 0.99


def test_no_gene_gets_more_states_than_the_one_before_it_unless_repaired(two_and_three):
    rng = np.random.default_rng(6)
    low = np.exp(np.column_stack([np.append(rng.normal(9, 1, 239), 1 + i / 50) for i in range(4)]))
    high = two_and_three[0] * 1e3
    few_first = np.column_stack([high, high, low])
    many_first = np.column_stack([high[:, ::-1], high[:, ::-1], low])
    found = find_states(few_first)
    assert 1 < found.limit < np.log(high[high > 0].min())
    assert found.n_states[:4].tolist() == [2, 2, 2, 2]
    assert find_states(many_first).n_states[:4].tolist() == [3, 2, 2, 2]
    assert find_states(few_first, repaired=True).n_states[:4].tolist() == [2, 3, 2, 3]


def test_below_the_limit_is_asked_of_values_without_logarithm_unless_repaired(two_and_three):
    """Where the limit is not above 0 no value is below it, and state 0 is an empty one."""
    values, truth = two_and_three[0] * 20, two_and_three[1]
    published, repaired = find_states(values), find_states(values, repaired=True)
    assert published.limit == 0  # Two genes do not tell where to part them.
    low = (truth == 0) & (values > 1.1 * np.where(values > 0, values, np.inf).min(axis=0))
    assert (published.states[low] > 0).all()
    assert (repaired.states[low] == 0).all()


def test_cells_and_genes_without_a_value_take_no_part(two_and_three):
    values, _ = two_and_three
    padded = np.zeros((242, 4))
    padded[1:-1, 1:-1] = values
    inside, plain = find_states(padded), find_states(values)
    np.testing.assert_array_equal(inside.states[1:-1, 1:-1], plain.states)
    assert inside.states.sum() == plain.states.sum()
    assert inside.n_states.tolist() == [0, *plain.n_states, 0]
    lone = np.zeros((9, 1))
    lone[2] = 1
    assert find_states(lone).states.sum() == 0
    assert find_states(lone).n_states.tolist() == [1]


def test_states_weigh_the_errors_before_the_loop(grouped):
    def fit(**chosen):
        return Scgnn(hidden=16, latent=8, **SHORT, **chosen).impute(grouped, Context(seed=2))

    without, weightless = fit(), fit(ltmg=True, state_weight=0.0)
    np.testing.assert_array_equal(weightless.expression, without.expression)
    np.testing.assert_array_equal(weightless.embedding, without.embedding)
    assert "ltmg_limit" not in without.info
    others = [fit(ltmg=True, ltmg_repaired=True, ltmg_binary=binary) for binary in (False, True)]
    assert not np.array_equal(others[0].embedding, without.embedding)
    assert not np.array_equal(others[0].embedding, others[1].embedding)
    told = others[0].info
    assert sum(told["ltmg_genes_by_states"]) == 20
    assert 0.3 < told["ltmg_share_above_0"] < 0.7
