"""scImpute against the original's output, its parts against plain computations, and its edges."""

from pathlib import Path

import anndata
import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from impbench_plugins.scimpute import ScImpute
from impbench_plugins.scimpute.groups import find_outliers, spectral_clusters
from impbench_plugins.scimpute.impute import _predictors, impute_group
from impbench_plugins.scimpute.method import Groups, counts_of, find_groups, impute_given
from impbench_plugins.scimpute.nnls import nnls
from impbench_plugins.shared.dropout_mixture import (
    POINT,
    dropout_probabilities,
    fit_mixtures,
    log_cpm,
    valid_genes,
)
from sklearn.metrics import adjusted_rand_score

from impbench.context import Context
from impbench.errors import InputError
from impbench.imputer import Observed

pytestmark = pytest.mark.slow

DATA = Path(__file__).parents[2] / "data"
GROUPS = {"small_rare": 4, "small_batch": 3}


@pytest.fixture(scope="module", params=list(GROUPS))
def small(request):
    name = request.param
    cells = anndata.read_h5ad(DATA / "inputs" / f"{name}.h5ad")
    with np.load(DATA / "scimpute" / "original.npz") as file:
        arrays = {key: file[f"{key}_{name}"] for key in ("estimate", "labels", "mixtures")}
    return Observed.from_counts(cells.X, n_groups=GROUPS[name]), arrays


@pytest.fixture(scope="module")
def grouped():
    """Three clear groups, 75 cells; a third of the entries zeroed."""
    rng = np.random.default_rng(5)
    means = rng.gamma(2.0, 8.0, (3, 60))
    counts = rng.poisson(means[np.arange(75) % 3])
    counts[rng.random(counts.shape) < 0.33] = 0
    return Observed.from_counts(counts, n_groups=3)


def test_mixtures_equal_the_originals_given_its_groups(small):
    observed, original = small
    values = log_cpm(observed.dense_counts)
    for label, stored in enumerate(original["mixtures"]):
        fitted = fit_mixtures(values[original["labels"] == label])
        np.testing.assert_array_equal(np.isnan(fitted), np.isnan(stored))
        # A shape that the original reaches by root finding is good to about 1e-4.
        np.testing.assert_allclose(fitted, stored, rtol=1e-3)


def test_counts_equal_the_originals_given_its_groups(small):
    observed, original = small
    counts = observed.dense_counts
    groups = find_groups(log_cpm(counts), observed.n_groups, seed=1)
    given_groups = Groups(original["labels"].astype(np.int64), groups.coordinates)
    ours, _ = impute_given(counts, given_groups)
    theirs = original["estimate"]
    changed, they_changed = np.abs(ours.round(2) - counts) > 0, np.abs(theirs - counts) > 1e-6
    assert (changed == they_changed).mean() >= 0.9995
    np.testing.assert_allclose(ours.round(2), theirs, rtol=1e-2, atol=0.0101)
    assert np.linalg.norm(ours - theirs) <= 1e-4 * np.linalg.norm(theirs)


def test_own_groups_and_whole_result_equal_the_originals(small):
    observed, original = small
    groups = find_groups(log_cpm(observed.dense_counts), observed.n_groups, seed=4)
    assert adjusted_rand_score(original["labels"], groups.labels) >= 0.95
    imputed = ScImpute().impute(observed, Context(seed=4))
    imputed.check(observed)
    assert imputed.scale == "counts"
    difference = np.linalg.norm(imputed.expression - original["estimate"])
    assert difference <= 1e-3 * np.linalg.norm(original["estimate"])


def test_a_mixture_fit_is_one_where_no_small_change_is_likelier():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.gamma(2.0, 0.3, 4000), rng.normal(3.0, 0.4, 6000)])[:, None]
    (rate, shape, gamma_rate, mean, deviation) = fit_mixtures(x)[0]
    assert (rate, mean, deviation) == pytest.approx((0.4, 3.0, 0.4), abs=0.03)
    assert (shape, gamma_rate) == pytest.approx((2.0, 1 / 0.3), rel=0.1)


def test_dropout_probability_is_the_gammas_share_below_the_mean():
    parameters = np.array([[0.3, 0.9, 1.4, 2.5, 0.4]])
    x = np.array([POINT, 0.5, 1.5, 2.4, 2.6])
    gamma = 0.3 * scipy.stats.gamma.pdf(x, 0.9, scale=1 / 1.4)
    share = gamma / (gamma + 0.7 * scipy.stats.norm.pdf(x, 2.5, 0.4))
    share[x > 2.5] = 0
    np.testing.assert_allclose(
        dropout_probabilities(x[:, None], parameters)[:, 0], share, rtol=1e-10
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(1, 40))
def test_nnls_meets_the_optimality_conditions_and_scipys_residual(seed, n, m):
    rng = np.random.default_rng(seed)
    a, y = rng.gamma(1.0, 1.0, (m, n)), rng.normal(1.0, 2.0, m)
    b = nnls(a.T @ a, a.T @ y)
    assert (b >= 0).all()
    gradient = a.T @ (y - a @ b)
    scale = np.abs(a.T @ y).max()
    assert gradient.max() <= 1e-6 * scale
    assert np.abs(gradient[b > 0]).max(initial=0.0) <= 1e-6 * scale
    residual = scipy.optimize.nnls(a, y)[1]
    assert np.linalg.norm(y - a @ b) <= residual * (1 + 1e-6) + 1e-6


def test_nnls_with_equal_columns_still_fits():
    column = np.array([1.0, 2.0, 3.0])
    a = np.stack([column, column, column], axis=1)
    b = nnls(a.T @ a, a.T @ (2 * column))
    np.testing.assert_allclose(a @ b, 2 * column, rtol=1e-5)


def test_genes_without_a_clear_normal_are_not_valid():
    parameters = np.array(
        [
            [0.3, 1.0, 1.0, 2.5, 0.3],
            [0.3, 1.0, 1.0, 0.2, 0.3],
            [0.3, 1.0, 0.1, 0.9, 0.1],
            [np.nan] * 5,
        ]
    )
    assert valid_genes(parameters).tolist() == [True, False, False, False]


def test_predictors_are_the_nearest_cells_where_the_genes_are_few():
    coordinates = np.arange(10.0)[:, None]
    assert _predictors(4, coordinates, 20).tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert _predictors(4, coordinates, 6).tolist() == [2, 3, 5, 6]
    many = np.arange(700.0)[:, None]
    assert _predictors(0, many, 900).tolist() == list(range(1, 501))


def test_spectral_clusters_find_rings_that_k_means_cannot():
    rng = np.random.default_rng(2)
    angle, ring = rng.uniform(0, 2 * np.pi, 300), np.arange(300) % 2
    radius = 1.0 + 4.0 * ring + rng.normal(0, 0.05, 300)
    points = np.c_[radius * np.cos(angle), radius * np.sin(angle)]
    assert adjusted_rand_score(ring, spectral_clusters(points, 2, seed=1)) == 1.0


def test_far_cells_are_outliers():
    line = np.r_[np.arange(20.0), 90.0][:, None]
    assert find_outliers(line).tolist() == [False] * 20 + [True]


def test_outliers_keep_their_counts_and_predict_nothing(grouped):
    counts = grouped.dense_counts
    labels = np.arange(75) % 3
    labels[7] = -1
    coordinates = np.zeros((75, 1))
    ours, imputed = impute_given(counts, Groups(labels, coordinates))
    np.testing.assert_allclose(ours[7], counts[7], atol=1e-9)
    assert not imputed[7].any()
    without = np.arange(75) != 7
    alone, _ = impute_given(counts[without], Groups(labels[without], coordinates[without]))
    np.testing.assert_array_equal(ours[without], alone)


def test_values_are_capped_at_the_groups_largest_and_confident_ones_stay(grouped):
    values = log_cpm(grouped.dense_counts)
    cells = np.arange(75) % 3 == 0
    filled, imputed = impute_group(values[cells], values[cells], 0.5)
    assert 0 < imputed.mean() < 0.7
    np.testing.assert_array_equal(filled[~imputed], values[cells][~imputed])
    assert (filled <= values[cells].max(axis=0) + 1e-12).all()


def test_log_cpm_and_back_is_the_identity(grouped):
    counts = grouped.dense_counts
    np.testing.assert_allclose(counts_of(log_cpm(counts), counts.sum(axis=1)), counts, atol=1e-9)


def test_rounding_can_be_left_out(grouped):
    rounded = ScImpute().impute(grouped, Context()).expression
    exact = ScImpute(decimals=None).impute(grouped, Context()).expression
    np.testing.assert_allclose(rounded, exact, atol=0.00501)
    assert (rounded != exact).any()


@pytest.mark.parametrize(
    ("counts", "n_groups"),
    [
        (np.ones((6, 30)), 2),
        (np.repeat(np.random.default_rng(0).poisson(3.0, (1, 30)) + 1, 8, axis=0), 2),
        (np.random.default_rng(0).poisson(2.0, (3, 40)), 3),
        (np.random.default_rng(0).poisson(2.0, (2, 40)), 1),
        (np.random.default_rng(0).poisson(3.0, (12, 1)) + 1, 2),
        (np.random.default_rng(0).poisson(0.05, (40, 20)), 2),
    ],
    ids=["constant", "identical cells", "a group each", "two cells", "one gene", "nearly empty"],
)
def test_degenerate_data_still_give_a_valid_result(counts, n_groups):
    observed = Observed.from_counts(counts, n_groups=n_groups)
    imputed = ScImpute().impute(observed, Context())
    imputed.check(observed)
    assert (imputed.expression >= 0).all()


def test_what_cannot_be_grouped_is_refused_with_what_to_do(grouped):
    with pytest.raises(InputError, match=r"pass scimpute\[n_groups=K\]"):
        ScImpute().impute(Observed.from_counts(grouped.counts), Context())
    with pytest.raises(InputError, match=r"at least 76 cells .* got 75; pass a smaller"):
        ScImpute(n_groups=76).impute(grouped, Context())
