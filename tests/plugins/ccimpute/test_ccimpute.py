"""ccImpute against the original's output, its laws, and its edges."""

import math
from pathlib import Path

import anndata
import numpy as np
import pytest
from impbench_plugins.ccimpute import CcImpute
from impbench_plugins.ccimpute.consensus import Consensus
from impbench_plugins.ccimpute.distance import unit_ranks, weighted_spearman_distance
from impbench_plugins.ccimpute.draws import drawn_dropouts
from impbench_plugins.ccimpute.method import dimensions, gene_weights, impute_given
from impbench_plugins.ccimpute.n_groups import estimate_n_groups
from impbench_plugins.shared.distance_components import distance_components
from impbench_plugins.shared.kmeans import best_kmeans

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
    with np.load(DATA / "ccimpute" / "original.npz") as file:
        arrays = {key: file[f"{key}_{name}"] for key in ("estimate", "distance", "labels")}
    return Observed.from_counts(cells.X, n_groups=GROUPS[name]), arrays


@pytest.fixture(scope="module")
def grouped():
    """Three clear groups, 90 cells; a third of the entries zeroed."""
    rng = np.random.default_rng(5)
    means = rng.gamma(2.0, 4.0, (3, 60))
    counts = rng.poisson(means[np.repeat(np.arange(3), 30)])
    counts[rng.random(counts.shape) < 0.33] = 0
    return Observed.from_counts(counts, n_groups=3)


def weighted_spearman_by_definition(values, weights):
    """Slow and plain: every rank from its definition, every correlation from its sums."""
    ranks = np.empty(values.shape)
    for i, cell in enumerate(values):
        for j, value in enumerate(cell):
            ties = cell == value
            ranks[i, j] = weights[cell < value].sum() + (ties.sum() + 1) / 2 * weights[ties].mean()
    distances = np.empty((len(values),) * 2)
    for i, x in enumerate(ranks):
        for j, y in enumerate(ranks):
            dx = x - np.average(x, weights=weights)
            dy = y - np.average(y, weights=weights)
            length = np.sqrt((weights * dx**2).sum() * (weights * dy**2).sum())
            distances[i, j] = 1 - (weights * dx * dy).sum() / length
    return distances


def test_distances_equal_the_originals_to_its_stored_precision(small):
    observed, original = small
    weights = gene_weights(observed.dense_counts, observed.size_factors)
    distance = weighted_spearman_distance(observed.dense_counts, weights)
    np.testing.assert_allclose(distance, original["distance"], rtol=0, atol=6e-8)


def test_distances_equal_the_definition_to_1e_12():
    rng = np.random.default_rng(0)
    values, weights = rng.poisson(1.0, (12, 30)), rng.random(30)
    np.testing.assert_allclose(
        weighted_spearman_distance(values, weights),
        weighted_spearman_by_definition(values, weights),
        rtol=0,
        atol=1e-12,
    )


@pytest.mark.parametrize("shape", [(40, 60), (60, 40)])
def test_components_without_the_distance_matrix_equal_those_of_the_matrix(shape):
    rng = np.random.default_rng(1)
    counts, weights = rng.poisson(1.5, shape), rng.random(shape[1])
    distance = weighted_spearman_distance(counts, weights)
    scaled = (distance - distance.mean(axis=0)) / distance.std(axis=0, ddof=1)
    _, singular, right = np.linalg.svd(scaled)
    found = distance_components(counts, lambda block: unit_ranks(block, weights), 0.0, 10)
    share = found.shares[4]
    more = distance_components(
        counts, lambda block: unit_ranks(block, weights), share * 0.999, 10, and_next=True
    )
    np.testing.assert_allclose(more.shares, found.shares[:6])
    np.testing.assert_allclose(found.shares, (singular**2 / (singular**2).sum())[:10], rtol=1e-9)
    np.testing.assert_allclose(np.abs(found.loadings.T), np.abs(right[:10]), atol=1e-8)


def test_imputation_equals_the_original_given_its_clusterings(small):
    observed, original = small
    filled, n_imputed = impute_given(observed.lognorm, original["labels"].astype(np.int64))
    zero = observed.lognorm == 0
    called, theirs = (filled > 0) & zero, (original["estimate"] > 0) & zero
    assert n_imputed == called.sum()
    np.testing.assert_array_equal(called, theirs)
    np.testing.assert_allclose(filled, original["estimate"], rtol=0, atol=1e-5)


def test_equals_the_original_with_clusterings_of_its_own():
    # With near-equal optima, of which the starts decide: not every one is the best known.
    cells = anndata.read_h5ad(DATA / "inputs" / "small_rare.h5ad")
    observed = Observed.from_counts(cells.X, n_groups=4)
    with np.load(DATA / "ccimpute" / "original.npz") as file:
        original = file["estimate_small_rare"]
    imputed = CcImpute().impute(observed, Context(seed=1))
    imputed.check(observed)
    zero = observed.lognorm == 0
    np.testing.assert_array_equal((imputed.expression > 0) & zero, (original > 0) & zero)
    np.testing.assert_allclose(imputed.expression, original, rtol=0, atol=1e-5)


def test_independent_starts_give_the_same_calls_where_k_means_has_one_best_partition():
    cells = anndata.read_h5ad(DATA / "inputs" / "small_batch.h5ad")
    observed = Observed.from_counts(cells.X, n_groups=3)
    with np.load(DATA / "ccimpute" / "original.npz") as file:
        original = file["estimate_small_batch"]
    imputed = CcImpute(seeds="independent").impute(observed, Context(seed=3))
    zero = observed.lognorm == 0
    np.testing.assert_array_equal((imputed.expression > 0) & zero, (original > 0) & zero)


def test_k_means_ends_where_no_single_move_helps_in_both_forms(monkeypatch):
    from impbench_plugins.shared import kmeans

    points = np.random.default_rng(2).normal(size=(120, 5))
    totals = []
    for most in (0, 2000):
        monkeypatch.setattr(kmeans, "GRAM_CELLS", most)
        labels, total = best_kmeans(points, 4, 200, seed=1)
        totals.append(total)
        assert total == pytest.approx(sum_of_squares(points, labels), rel=1e-10)
        for cell in range(len(points)):
            for cluster in range(4):
                moved = labels.copy()
                moved[cell] = cluster
                assert sum_of_squares(points, moved) >= total * (1 - 1e-9)
    assert totals[0] == pytest.approx(totals[1], rel=1e-9)


def sum_of_squares(points, labels):
    return sum(
        ((points[labels == c] - points[labels == c].mean(axis=0)) ** 2).sum()
        for c in np.unique(labels)
    )


def test_more_clusters_than_distinct_points_leaves_one_point_each():
    points = np.repeat(np.eye(3), 4, axis=0)
    labels, total = best_kmeans(points, 7, 20, seed=1)
    assert total == pytest.approx(0, abs=1e-12)
    assert len(np.unique(labels)) == 3


def consensus_cell_by_cell(labels, lognorm, as_original):
    """The same from N × N matrices, as the paper writes it, or with the original's rounding."""
    agree = (labels[:, None, :] == labels[None]).sum(axis=2)
    np.fill_diagonal(agree, 0)
    agree[agree < 0.65 * labels.shape[1]] = 0
    weights = agree / np.maximum(agree.sum(axis=1), 1)[:, None]
    sign = np.where(lognorm > 0, 1, -1)
    votes = agree @ sign
    if as_original:
        shares = agree / labels.shape[1]
        totals = np.array([math.fsum(row) for row in shares])
        shares[totals > 0] /= totals[totals > 0, None]
        votes = np.zeros(lognorm.shape)
        for voter in range(len(lognorm)):
            votes += shares[:, voter, None] * sign[voter]
    calls = (lognorm == 0) & (votes > 0)
    filled = lognorm.astype(np.float64)
    for gene in range(lognorm.shape[1]):
        d = np.flatnonzero(calls[:, gene])
        inner = weights[np.ix_(d, d)]
        if as_original:
            inner = np.tril(inner) + np.tril(inner).T
        right = weights[d] @ lognorm[:, gene]
        filled[d, gene] = np.linalg.solve(np.eye(len(d)) - inner, right)
    return filled


@pytest.mark.parametrize("as_original", [True, False])
@pytest.mark.parametrize("dense", [True, False])
def test_profiles_give_what_cells_give(small, monkeypatch, as_original, dense):
    from impbench_plugins.ccimpute import solve

    if not dense:
        monkeypatch.setattr(solve, "DENSE", 0)
    observed, original = small
    labels, lognorm = original["labels"].astype(np.int64), observed.lognorm[:, :60]
    filled, _ = impute_given(lognorm, labels, as_original=as_original)
    expected = consensus_cell_by_cell(labels, lognorm, as_original)
    np.testing.assert_allclose(filled, expected, rtol=1e-6, atol=1e-6)


def test_a_drawn_vote_is_exactly_0():
    labels = np.zeros((3, 1), dtype=np.int64)
    consensus = Consensus.from_labels(labels, 0.65)
    expressed = np.array([[True, True], [False, True], [False, False]])
    np.testing.assert_array_equal(consensus.votes(expressed), [[0, 2]])


def test_rounding_in_the_order_of_the_cells_decides_drawn_votes():
    # Six neighbours weigh 1/6 each: + − + − + − ends at 0, + + + − − − a little above.
    signs = np.array([[1, -1, 1, -1, 1, -1], [1, 1, 1, -1, -1, -1]])
    np.testing.assert_array_equal((signs / 6).cumsum(axis=1)[:, -1], [0, 2**-54])
    expressed = np.zeros((7, 2), dtype=bool)
    expressed[1:] = signs.T > 0
    drawn = np.zeros_like(expressed)
    drawn[0] = True
    consensus = Consensus.from_labels(np.zeros((7, 1), dtype=np.int64), 0.65)
    called = drawn_dropouts(consensus, expressed, drawn)
    np.testing.assert_array_equal(called[0], [False, True])
    assert not called[1:].any()


def test_observed_values_stay_and_filled_ones_lie_between_those_of_the_gene(grouped):
    imputed = CcImpute(as_original=False).impute(grouped, Context()).expression
    seen = grouped.lognorm > 0
    np.testing.assert_array_equal(imputed[seen], grouped.lognorm[seen])
    assert (imputed >= 0).all()
    assert (imputed <= grouped.lognorm.max(axis=0) * (1 + 1e-6)).all()
    assert (imputed[~seen] > 0).mean() > 0.5


def test_result_follows_the_cells_when_they_are_permuted(grouped):
    order = np.random.default_rng(3).permutation(grouped.n_cells)
    shuffled = Observed.from_counts(grouped.dense_counts[order], n_groups=3)
    imputer = CcImpute(as_original=False)
    np.testing.assert_allclose(
        imputer.impute(shuffled, Context()).expression,
        imputer.impute(grouped, Context()).expression[order],
        atol=1e-5,
    )


@pytest.mark.parametrize(
    "counts",
    [
        np.ones((5, 4)),
        np.random.default_rng(0).poisson(1.0, (3, 50)),
        np.random.default_rng(0).poisson(1.0, (14, 1)),
        np.random.default_rng(0).poisson(0.02, (30, 10)),
    ],
    ids=["constant", "three cells", "one gene", "nearly empty"],
)
def test_degenerate_data_still_give_a_valid_result(counts):
    observed = Observed.from_counts(counts, n_groups=2)
    imputed = CcImpute(n_starts=20, seeds="independent").impute(observed, Context())
    imputed.check(observed)
    seen = observed.lognorm > 0
    np.testing.assert_array_equal(imputed.expression[seen], observed.lognorm[seen])


def test_more_groups_than_cells_and_too_few_cells_are_refused(grouped):
    with pytest.raises(InputError, match="91 groups, but only 90 cells"):
        CcImpute(n_groups=91).impute(grouped, Context())
    with pytest.raises(InputError, match=r"90 groups .* and 90 cells .* seeds=independent"):
        CcImpute(n_groups=90).impute(grouped, Context())
    with pytest.raises(InputError, match=r"ccimpute: 2 groups, but only 1 cells differ"):
        CcImpute().impute(Observed.from_counts(np.ones((5, 4)), n_groups=2), Context())
    with pytest.raises(InputError, match="at least 2 cells with counts, got 1"):
        CcImpute().impute(Observed.from_counts(np.eye(1, 3)), Context())


@pytest.mark.parametrize("k", [2, 3, 5, 8])
def test_the_number_of_clear_groups_is_estimated(k):
    rng = np.random.default_rng(k)
    centres = rng.normal(0, 3, (k, 40))
    expression = centres[np.arange(240) % k] + rng.normal(0, 1, (240, 40))
    assert estimate_n_groups(expression) == k


def test_without_a_number_of_groups_the_estimate_is_used_and_recorded(grouped):
    observed = Observed.from_counts(grouped.counts)
    info = CcImpute().impute(observed, Context()).info
    assert info["n_groups_from"] == "SIMLR"
    assert info["n_groups"] == estimate_n_groups(observed.lognorm.astype(np.float64))
    assert CcImpute(n_groups=2).impute(grouped, Context()).info["n_groups"] == 2


def test_dimensions_follow_the_published_rule():
    shares = np.geomspace(0.3, 1e-4, 200)
    assert dimensions(200, shares) == [8, 9, 10, 11, 12, 13, 14]
    assert dimensions(499, shares) == list(range(20, 36, 2))
    assert dimensions(10, shares) == [1]
    chosen = np.array(dimensions(500, shares))
    assert len(chosen) <= 15
    assert shares[chosen - 1].max() <= 0.002
    # Up to the first component below the smaller share, as the program counts.
    assert shares[chosen - 2].min() > 0.0008
    assert dimensions(500, np.array([0.9, 0.05])) == [2]
    below = np.array([0.9, 0.05, 0.0019, 0.0009, 0.0007, 0.0001])
    assert dimensions(500, below) == [3, 4, 5]
    assert dimensions(500, np.array([0.9, 0.05, 0.0001])) == [3]
