"""ccImpute 1.8.0 against its stored output, its laws, and its edges."""

from pathlib import Path

import anndata
import numpy as np
import pytest
import scipy.sparse as sp
from impbench_plugins.ccimpute import CcImpute
from impbench_plugins.ccimpute.bioc import CcImputeBioc
from impbench_plugins.ccimpute.bioc_method import bioc_dimensions, bioc_impute_given
from impbench_plugins.ccimpute.consensus import Consensus
from impbench_plugins.ccimpute.distance import unit_mean_ranks
from impbench_plugins.ccimpute.neighbour_means import fill_with_means
from impbench_plugins.ccimpute.tracy_widom import tracy_widom_groups
from scipy.stats import rankdata

from impbench import Context, Observed
from impbench.errors import InputError

pytestmark = pytest.mark.slow

DATA = Path(__file__).parents[2] / "data"
GROUPS = {"small_rare": 4, "small_batch": 3}


@pytest.fixture(scope="module", params=list(GROUPS))
def small(request):
    """The data, the original's consensus (clusterings that agree, of 8), dropouts and values."""
    name = request.param
    cells = anndata.read_h5ad(DATA / "inputs" / f"{name}.h5ad")
    observed = Observed.from_counts(cells.X, n_groups=GROUPS[name])
    with np.load(DATA / "ccimpute" / "bioc.npz") as file:
        agreement, values = file[f"agreement_{name}"], file[f"values_{name}"]
        dropouts = np.unpackbits(file[f"dropouts_{name}"]).reshape(200, 300).astype(bool)
    return observed, agreement, dropouts, values


@pytest.fixture(scope="module")
def grouped():
    """Three clear groups, 60 cells; a third of the entries zeroed."""
    rng = np.random.default_rng(5)
    means = rng.gamma(2.0, 4.0, (3, 40))
    counts = rng.poisson(means[np.repeat(np.arange(3), 20)])
    counts[rng.random(counts.shape) < 0.33] = 0
    return Observed.from_counts(counts, n_groups=3)


def assert_equals_original(filled, observed, dropouts, values):
    zero = observed.lognorm == 0
    np.testing.assert_array_equal((filled > 0) & zero, dropouts)
    np.testing.assert_allclose(filled[dropouts], values, rtol=0, atol=1e-6)
    np.testing.assert_allclose(filled[~zero], observed.lognorm[~zero], rtol=0, atol=1e-6)


def test_equals_the_original_given_its_consensus(small):
    observed, agreement, dropouts, values = small
    consensus = Consensus(
        np.arange(200), sp.csr_matrix(agreement, dtype=np.float64), np.ones(200), 8
    )
    filled, n_imputed = fill_with_means(consensus, observed.lognorm, as_original=True)
    assert n_imputed == dropouts.sum()
    assert_equals_original(filled, observed, dropouts, values)


def test_equals_the_original_with_clusterings_of_its_own(small):
    observed, _, dropouts, values = small
    imputed = CcImputeBioc().impute(observed, Context(seed=1))
    imputed.check(observed)
    assert_equals_original(imputed.expression, observed, dropouts, values)
    assert imputed.info["n_imputed"] == dropouts.sum()


def solved_cell_by_cell(labels, lognorm, as_original):
    """The older solve from N × N matrices: weights in columns, the lower triangle read."""
    agree = (labels[:, None, :] == labels[None]).sum(axis=2)
    np.fill_diagonal(agree, 0)
    agree[agree < 0.75 * labels.shape[1]] = 0
    weights = agree / np.maximum(agree.sum(axis=0), 1)
    calls = (lognorm == 0) & (agree @ np.where(lognorm > 0, 1, -1) > 0)
    filled = lognorm.astype(np.float64)
    for gene in range(lognorm.shape[1]):
        d = np.flatnonzero(calls[:, gene])
        inner = weights[np.ix_(d, d)]
        inner = np.tril(inner) + np.tril(inner).T if as_original else inner.T
        right = weights[:, d].T @ lognorm[:, gene]
        filled[d, gene] = np.linalg.solve(np.eye(len(d)) - inner, right)
    return filled


@pytest.mark.parametrize("as_original", [True, False])
def test_the_older_solver_reads_the_weights_in_columns(as_original):
    rng = np.random.default_rng(1)
    # Blocks of unequal sizes that mostly agree, and no draws: an odd number of neighbours.
    labels = np.repeat([0, 1, 2], [8, 14, 22])[:, None] + np.zeros(5, dtype=np.int64)
    labels[::7, 0] = 3
    counts = rng.poisson(2.0, (44, 30)) * rng.integers(0, 2, (44, 30))
    factors = np.ones(44)
    filled, _ = bioc_impute_given(
        counts, factors, labels, fast_solver=False, as_original=as_original
    )
    expected = solved_cell_by_cell(labels, np.log2(1 + counts), as_original)
    drawn = ((filled > 0) != (expected > 0)).any(axis=0)
    assert drawn.mean() < 0.5
    np.testing.assert_allclose(filled[:, ~drawn], expected[:, ~drawn], rtol=1e-6)


def test_ranks_carry_no_weights_but_the_correlation_does():
    rng = np.random.default_rng(0)
    counts, weights = rng.poisson(1.0, (6, 25)), rng.random(25)
    ranks = rankdata(counts, axis=1)
    covariances = np.cov(ranks, aweights=weights)
    deviations = np.sqrt(np.diag(covariances))
    rows = unit_mean_ranks(counts, weights)
    np.testing.assert_allclose(
        rows @ rows.T, covariances / np.outer(deviations, deviations), atol=1e-12
    )


def test_dimensions_follow_the_program():
    assert bioc_dimensions(200) == [8, 9, 10, 11, 12, 13, 14, 15]
    assert bioc_dimensions(2) == [1]
    assert bioc_dimensions(1000) == list(range(40, 80, 5))
    assert bioc_dimensions(90_000) == bioc_dimensions(2000) == list(range(80, 160, 10))


def test_observed_values_stay_and_filled_ones_are_means_of_expressed_values(grouped):
    imputed = CcImputeBioc(n_starts=20).impute(grouped, Context()).expression
    seen = grouped.lognorm > 0
    np.testing.assert_array_equal(imputed[seen], grouped.lognorm[seen])
    lowest = np.where(seen, grouped.lognorm, np.inf).min(axis=0)
    filled = (imputed > 0) & ~seen
    assert filled.sum() > 100
    genes = np.nonzero(filled)[1]
    assert (imputed[filled] >= lowest[genes] * (1 - 1e-6)).all()
    assert (imputed[filled] <= grouped.lognorm.max(axis=0)[genes] * (1 + 1e-6)).all()


def test_every_parameter_changes_the_result_of_data_without_structure():
    counts = np.random.default_rng(2).poisson(0.8, (80, 40))
    observed = Observed.from_counts(counts, n_groups=6)
    default = CcImputeBioc(n_starts=2).impute(observed, Context(seed=3)).expression
    for changed in (
        {"n_groups": 4}, {"threshold": 0.5}, {"n_starts": 5}, {"max_passes": 1},
        {"fast_solver": False}, {"as_original": False}, {"seeds": "independent"},
    ):  # fmt: skip
        imputer = CcImputeBioc(**{"n_starts": 2, **changed})
        result = imputer.impute(observed, Context(seed=3)).expression
        assert not np.array_equal(result, default), changed


@pytest.mark.parametrize("k", [2, 5])
def test_groups_are_counted_by_eigenvalues_beyond_noise(k):
    rng = np.random.default_rng(k)
    noise = rng.normal(size=(120, 300))
    assert tracy_widom_groups(noise) == 0
    assert tracy_widom_groups(noise.T) == 0
    groups = rng.normal(size=(k, 300))[np.arange(120) % k]
    assert tracy_widom_groups(noise + groups) == k


def test_without_a_number_of_groups_the_estimate_is_used_and_recorded(grouped):
    observed = Observed.from_counts(grouped.counts)
    info = CcImputeBioc(n_starts=5).impute(observed, Context()).info
    assert info["n_groups_from"] == "Tracy-Widom"
    assert info["n_groups"] == tracy_widom_groups(observed.lognorm)


def test_data_that_r_would_refuse_are_refused_with_the_parameter_that_helps(grouped):
    with pytest.raises(InputError, match=r"60 groups .* and 60 cells .* smaller n_groups"):
        CcImputeBioc(n_groups=60).impute(grouped, Context())
    with pytest.raises(InputError, match="at least 2 cells with counts, got 1"):
        CcImputeBioc().impute(Observed.from_counts(np.eye(1, 3)), Context())
    twice = Observed.from_counts(np.repeat(np.eye(3, 8, dtype=int) + 1, 4, axis=0))
    with pytest.raises(InputError, match=r"5 groups, but only \d cells differ"):
        CcImputeBioc(n_groups=5).impute(twice, Context())
    with pytest.raises(InputError, match=r"no group in these data.*pass n_groups"):
        CcImputeBioc().impute(Observed.from_counts(np.ones((4, 1))), Context())


def test_it_is_another_algorithm_than_the_papers(grouped):
    new = CcImputeBioc(n_starts=20).impute(grouped, Context()).expression
    old = CcImpute(n_starts=20).impute(grouped, Context()).expression
    assert np.linalg.norm(new - old) > 0.01 * np.linalg.norm(old)
