"""bayNorm against the original's output, its parts against plain computations, and its edges."""

import sys
from pathlib import Path

import anndata
import numpy as np
import pytest
from impbench_plugins.baynorm import BayNorm
from impbench_plugins.baynorm.capture import from_totals, given, steady_genes
from impbench_plugins.baynorm.likelihood import log_likelihood
from impbench_plugins.baynorm.marginal_size import marginal_size
from impbench_plugins.baynorm.method import posterior
from impbench_plugins.baynorm.posterior import missed
from impbench_plugins.baynorm.prior import Prior, adjusted, estimate_prior
from scipy.optimize import minimize_scalar
from scipy.stats import nbinom

from impbench import Context, Observed
from impbench.errors import InputError

DATA = Path(__file__).parents[2] / "data"
EVERY = slice(None, None, 6)
"""Of the genes of the original's matrices, those that are stored."""


@pytest.fixture(scope="module", params=["small_rare", "small_batch"])
def small(request):
    name = request.param
    observed = Observed.from_counts(anndata.read_h5ad(DATA / "inputs" / f"{name}.h5ad").X)
    with np.load(DATA / "baynorm" / "original.npz") as file:
        arrays = {key.removesuffix(f"_{name}"): file[key] for key in file if key.endswith(name)}
    return observed, arrays


@pytest.fixture(scope="module")
def counts():
    """60 cells × 40 genes of negative binomial counts."""
    rng = np.random.default_rng(5)
    return rng.negative_binomial(1.5, 1 / (1 + rng.gamma(2.0, 2.0, 40) / 1.5), (60, 40))


def test_prior_equals_the_originals_to_1e_5(small):
    observed, original = small
    found = estimate_prior(observed.dense_counts, capture(observed))
    ours = (found.means, found.moment_sizes, found.marginal_sizes, found.sizes)
    for column, stored in zip(ours, original["prior"].T, strict=True):
        np.testing.assert_allclose(column, stored, rtol=1e-5)
    if sys.platform == "linux":
        # With the logarithm of R's own library, to the last bit.
        np.testing.assert_array_equal(np.array(ours[:3]).T, original["prior"][:, :3])


def test_mean_equals_the_originals_to_1e_6_and_the_mode_exactly(small):
    observed, original = small
    for estimate, rtol in (("mean", 1e-6), ("mode", 0)):
        prior = estimate_prior(observed.dense_counts, capture(observed))
        ours = molecules(observed, prior, estimate)[:, EVERY]
        np.testing.assert_allclose(ours.astype(np.float32), original[estimate], rtol=rtol)


def test_draws_lie_as_far_from_the_originals_as_from_each_other(small):
    observed, original = small
    prior = Prior(*original["prior"].T)
    ours = [molecules(observed, prior, "draws", seed)[:, EVERY] for seed in (1, 2)]
    between = distance(*ours)
    assert 0.9 < distance(ours[0], original["sample_mean_seed1"]) / between < 1.1


def test_what_comes_back_is_the_share_of_the_originals_molecules_that_is_caught(small):
    observed, original = small
    for estimate in ("mean", "mode"):
        imputed = BayNorm(estimate=estimate).impute(observed, Context())
        imputed.check(observed)
        expected = original[estimate] * capture(observed)[:, None]
        np.testing.assert_allclose(imputed.expression[:, EVERY], expected, rtol=1e-6)
        assert imputed.scale == "counts"
    totals = imputed.expression.sum(axis=1) / observed.dense_counts.sum(axis=1)
    assert 0.9 < totals.min() < totals.max() < 1.1


def capture(observed):
    return from_totals(observed.dense_counts.sum(axis=1, dtype=np.float64), 0.06)


def molecules(observed, prior, estimate, seed=1):
    rng = np.random.default_rng(seed)
    everything = slice(None)
    counts = observed.dense_counts
    return posterior(counts, capture(observed), prior, everything, estimate, 20, rng)[0]


def distance(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


PRINTED = {
    (0, 1.5, 4): -1.9489244761953914,
    (0, 90, 4): -3.9136600745764945,
    (3, 0.05, 2.5): -4.2768609489870535,
    (12, 5.25, 8): -3.0889299695003083,
    (1, 6468, 0.6): -1.1108905562495675,
    (900, 33.5, 870): -6.005080767843296,
    (2, 1e11, 3.5): -1.6876212436292093,
}
"""``dnbinom(x, size, mu, log = TRUE)`` by x, size and mean."""


@pytest.mark.parametrize("given", PRINTED)
def test_the_likelihood_is_rs_to_its_rounding(given):
    x, size, mean = (np.array([float(value)]) for value in given)
    found = log_likelihood(x, mean, size[0])
    assert found == pytest.approx(PRINTED[given], rel=3e-16, abs=0)


def test_the_likelihood_is_the_negative_binomials():
    rng = np.random.default_rng(1)
    x = np.r_[rng.poisson(9.0, 60), 15, 16, 17, 20_000, 0, 0].astype(np.float64)
    means = rng.gamma(2.0, 5.0, len(x))
    for size in (0.003, 0.4, 7.0, 300.0, 1e5):
        expected = nbinom.logpmf(x, size, size / (size + means)).sum()
        assert log_likelihood(x, means, size) == pytest.approx(expected, rel=1e-9)


def test_the_search_ends_at_the_optimum_where_the_likelihood_is_curved():
    rng = np.random.default_rng(2)
    means = np.full(300, 4.0)
    x = rng.negative_binomial(2.0, 2 / (2 + 4.0), 300).astype(np.float64)
    for start, bounds in ((0.3, (0.1, 50.0)), (40.0, (0.1, 50.0)), (9.0, (4.0, 9.0))):
        best = minimize_scalar(
            lambda size: -log_likelihood(x, means, size),
            bounds=bounds,
            method="bounded",
            options={"xatol": 1e-9},
        ).x
        assert marginal_size(x, means, start, *bounds) == pytest.approx(best, rel=1e-5)


def test_the_search_stays_where_the_likelihood_is_flat_as_the_originals_does():
    x = np.random.default_rng(3).poisson(4.0, 300).astype(np.float64)
    means = np.full(300, 4.0)
    found = marginal_size(x, means, 5e4, 0.1, 1e5)
    assert found == pytest.approx(5e4, rel=1e-6)
    elsewhere = [log_likelihood(x, means, size) for size in np.geomspace(0.1, 1e5, 50)]
    assert max(elsewhere) > log_likelihood(x, means, found) + 1e-6


def test_a_posterior_is_right_about_molecules_drawn_from_its_own_model():
    rng = np.random.default_rng(4)
    size, mean, share = 0.8, 30.0, 0.1
    original = rng.negative_binomial(size, size / (size + mean), 100_000)
    caught = rng.binomial(original, share)[:, None]
    prior = Prior(np.array([mean]), np.array([size]), None, np.array([size]))
    both = (caught, np.full(len(caught), share), prior, slice(None))
    expected, deviation = posterior(*both, "mean", 20, rng)
    errors = original[:, None] - expected
    assert abs(errors.mean()) < 0.2
    assert (errors**2).mean() / (deviation**2).mean() == pytest.approx(1, abs=0.03)
    drawn, _ = posterior(*both, "draws", 4, rng)
    assert ((drawn - expected) ** 2).mean() / (deviation**2).mean() == pytest.approx(
        1 / 4, rel=0.03
    )
    likeliest, _ = posterior(*both, "mode", 20, rng)
    shape, mean_missed = missed(*both[:2], prior.means, prior.sizes)
    for cell in range(50):
        r, m = shape[cell, 0], mean_missed[cell, 0]
        chance = nbinom.pmf(np.arange(400), r, r / (r + m))
        assert likeliest[cell, 0] - caught[cell, 0] == chance.argmax()


def test_capture_is_in_proportion_to_library_sizes_and_stays_between_0_and_1():
    np.testing.assert_allclose(
        from_totals(np.array([50.0, 100.0, 150.0]), 0.06), [0.03, 0.06, 0.09]
    )
    found = from_totals(np.array([0.0, 1.0, 2.0, 97.0]), 0.3)
    np.testing.assert_allclose(found, [0.012, 0.012, 0.024, 0.024])
    assert given(0.1, 3).tolist() == [0.1] * 3
    assert given((0.1, 0.2), 2).tolist() == [0.1, 0.2]
    with pytest.raises(InputError, match="2 values for 3 cells"):
        given((0.1, 0.2), 3)
    with pytest.raises(InputError, match="between 0 and 1"):
        given((0.1, 1.0), 2)


def test_steady_genes_have_few_zeros_and_no_outlying_cell(counts):
    chosen = np.random.default_rng(0).poisson(60.0, (50, 30))
    chosen[:20, 3] = 0
    chosen[7, 4] = 5000
    steady = steady_genes(chosen)
    assert not steady[[3, 4]].any()
    assert steady.sum() > 15
    observed = Observed.from_counts(chosen)
    by_all = BayNorm(size="moment").impute(observed, Context())
    by_steady = BayNorm(size="moment", capture_from="steady-genes").impute(observed, Context())
    kept = chosen[:, steady].sum(axis=1)
    given_shares = BayNorm(size="moment", capture=tuple(0.06 * kept / kept.mean()))
    np.testing.assert_array_equal(
        by_steady.expression, given_shares.impute(observed, Context()).expression
    )
    assert (by_all.expression != by_steady.expression).any()
    with pytest.raises(InputError, match="steady-genes asks"):
        BayNorm(capture_from="steady-genes").impute(Observed.from_counts(counts // 30), Context())


def test_a_prior_per_batch_is_that_of_its_cells_with_the_shares_of_all(counts):
    batch = np.repeat(["b", "a", "b"], 20)
    observed = Observed.from_counts(counts, batch=batch)
    together = BayNorm(prior="batch").impute(observed, Context())
    shares = capture(observed)
    for name in ("a", "b"):
        cells = batch == name
        alone = BayNorm(capture=tuple(shares[cells])).impute(
            Observed.from_counts(counts[cells]), Context()
        )
        np.testing.assert_array_equal(together.expression[cells], alone.expression)
        np.testing.assert_array_equal(together.std[cells], alone.std)
    shared = BayNorm().impute(observed, Context())
    assert (shared.expression != together.expression).any()
    with pytest.raises(InputError, match="hold no batches"):
        BayNorm(prior="batch").impute(Observed.from_counts(counts), Context())


def test_reads_are_divided_and_rounded_first_and_come_back_as_reads(counts):
    reads = counts * 7 + np.random.default_rng(0).integers(-3, 4, counts.shape) * (counts > 0)
    molecules_ = BayNorm().impute(Observed.from_counts(counts), Context())
    read = BayNorm(divide_by=7.0).impute(Observed.from_counts(reads), Context())
    np.testing.assert_allclose(read.expression, 7 * molecules_.expression, rtol=1e-6)
    np.testing.assert_allclose(read.std, 7 * molecules_.std, rtol=1e-6)


def test_every_other_parameter_changes_the_result(counts):
    observed = Observed.from_counts(counts)
    default = BayNorm().impute(observed, Context()).expression
    for changed in (
        {"estimate": "mode"}, {"estimate": "draws"}, {"capture": 0.1}, {"mean_capture": 0.2},
        {"size": "moment"},
    ):  # fmt: skip
        assert (BayNorm(**changed).impute(observed, Context()).expression != default).any()
    few = BayNorm(estimate="draws", n_draws=2)
    one, other = (few.impute(observed, Context(seed=seed)).expression for seed in (1, 2))
    assert (one != other).any()


def test_an_empty_cell_takes_the_smallest_share_and_is_imputed_as_by_the_original(counts):
    padded = counts.copy()
    padded[7] = 0
    observed = Observed.from_counts(padded)
    shares = capture(observed)
    assert shares[7] == np.delete(shares, 7).min()
    imputed = BayNorm().impute(observed, Context())
    prior = estimate_prior(padded, shares)
    seen = prior.means > 0
    expected = prior.sizes * prior.means * (1 - shares[7]) / (prior.sizes + prior.means * shares[7])
    np.testing.assert_allclose(imputed.expression[7, seen], (shares[7] * expected)[seen], rtol=1e-6)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros((9, 5)), "no cell has a count"),
        (np.full((9, 5), 3), "more than a Poisson variable"),
        (np.random.default_rng(0).negative_binomial(1, 0.2, (60, 2)), r"baynorm\[size=moment\]"),
        (np.random.default_rng(0).gamma(1.0, 5.0, (9, 5)), r"baynorm\[divide_by=10\]"),
    ],
    ids=["no counts", "no variation", "two genes", "fractions"],
)
def test_what_has_no_prior_is_refused_with_what_to_do(values, words):
    with pytest.raises(InputError, match=words):
        BayNorm().impute(Observed.from_counts(values), Context())
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="two that differ"):
        adjusted(rng.random(3), np.array([0.1, 0.2, 0.3]))
