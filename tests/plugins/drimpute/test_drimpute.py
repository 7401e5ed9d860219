"""DrImpute against the original's output, its definition, and its edges."""

from itertools import combinations, product
from pathlib import Path

import anndata
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from impbench_plugins.drimpute import DrImpute
from impbench_plugins.drimpute.clusterings import cluster, unit_ranks, unit_values
from impbench_plugins.drimpute.fill import fill_zeros, restore_zeros
from scipy.stats import pearsonr, spearmanr

from impbench import Context, Observed
from impbench.errors import InputError

DATA = Path(__file__).parents[2] / "data"
FEW = {"ks": (3, 4), "n_starts": 20}


@pytest.fixture(scope="module")
def grouped():
    """Three clear groups, 90 cells; a third of the entries zeroed."""
    rng = np.random.default_rng(5)
    means = rng.gamma(2.0, 4.0, (3, 60))
    counts = rng.poisson(means[np.repeat(np.arange(3), 30)])
    counts[rng.random(counts.shape) < 0.33] = 0
    return Observed.from_counts(counts)


def filled_entry_by_entry(lognorm, labels, combine):
    """Every zero by itself, as the paper defines it."""
    result = lognorm.astype(np.float64)
    for i, j in np.argwhere(lognorm == 0):
        means = [lognorm[column == column[i], j].mean(dtype=np.float64) for column in labels.T]
        result[i, j] = np.mean(means) if combine == "mean" else np.median(means)
    return result


@pytest.mark.parametrize("combine", ["mean", "median"])
def test_values_given_clusterings_equal_the_definition_to_1e_6(combine, monkeypatch):
    monkeypatch.setattr("impbench_plugins.drimpute.fill.GENES", 17)
    rng = np.random.default_rng(1)
    lognorm = np.where(rng.random((40, 50)) < 0.5, 0, rng.gamma(2, 2, (40, 50))).astype(np.float32)
    labels = rng.integers(0, 6, (40, 12))
    np.testing.assert_allclose(
        fill_zeros(lognorm, labels, combine),
        filled_entry_by_entry(lognorm, labels, combine),
        rtol=0,
        atol=1e-6,
    )


def distance(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["small_rare", "small_batch"])
def test_own_clusterings_differ_from_the_originals_by_little_more_than_its_seeds_do(name):
    observed = Observed.from_counts(anndata.read_h5ad(DATA / "inputs" / f"{name}.h5ad").X)
    with np.load(DATA / "drimpute" / "original.npz") as file:
        original = [file[f"{name}_{seed}"] for seed in (1, 2, 3)]
    imputed = DrImpute().impute(observed, Context(seed=1))
    imputed.check(observed)
    ours = imputed.expression[:, ::4]  # Every fourth gene is stored.
    spread = np.mean([distance(a, b) for a, b in combinations(original, 2)])
    assert np.mean([distance(ours, seed) for seed in original]) < 1.35 * spread
    shuffled = np.random.default_rng(0).permutation(200)
    wrong = fill_zeros(observed.lognorm, np.stack([shuffled % k for k in range(10, 16)], axis=1))
    assert distance(wrong[:, ::4], original[0]) > 5 * spread


@pytest.mark.parametrize(
    ("unit", "correlation"), [(unit_ranks, spearmanr), (unit_values, pearsonr)]
)
def test_products_of_unit_rows_are_correlations(grouped, unit, correlation):
    values = grouped.lognorm[:12].astype(np.float64)
    rows = unit(values)
    for i, j in product(range(12), repeat=2):
        assert rows[i] @ rows[j] == pytest.approx(correlation(values[i], values[j])[0], abs=1e-9)


def test_a_cell_without_variation_correlates_with_none():
    values = np.vstack([np.full(7, 0.1), np.zeros(7), np.arange(7)]).astype(np.float32)
    for unit in (unit_ranks, unit_values):
        np.testing.assert_allclose(np.diag(unit(values) @ unit(values).T), [0, 0, 1], atol=1e-12)


def test_there_is_a_clustering_for_each_correlation_and_number(grouped):
    labels = cluster(grouped.lognorm, range(10, 16), 0.05, 20, seed=1)
    assert labels.shape == (90, 12)
    assert [len(np.unique(column)) for column in labels.T] == [*range(10, 16)] * 2


def test_clear_groups_are_found_by_both_correlations(grouped):
    labels = cluster(grouped.lognorm, (3,), 0.05, 50, seed=1)
    for column in labels.T:
        by_group = column.reshape(3, 30)
        assert len({np.bincount(group).argmax() for group in by_group}) == 3
        assert np.mean([np.bincount(group).max() / 30 for group in by_group]) > 0.8


def test_observed_values_stay_and_filled_ones_lie_within_the_genes_range(grouped):
    imputed = DrImpute(**FEW).impute(grouped, Context()).expression
    seen = grouped.lognorm > 0
    np.testing.assert_array_equal(imputed[seen], grouped.lognorm[seen])
    assert (imputed >= 0).all()
    assert (imputed <= grouped.lognorm.max(axis=0)).all()
    assert (imputed[~seen] > 0).mean() > 0.9


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_the_smallest_imputed_values_become_zero_until_the_target_is_reached(seed, target):
    rng = np.random.default_rng(seed)
    lognorm = np.where(rng.random((9, 8)) < 0.6, 0, rng.random((9, 8))).astype(np.float32)
    full = np.where(lognorm == 0, rng.integers(0, 9, (9, 8)) / 8, lognorm).astype(np.float32)
    result = full.copy()
    n = restore_zeros(result, lognorm, target)
    seen = lognorm > 0
    np.testing.assert_array_equal(result[seen], lognorm[seen])
    gone = (full > 0) & (result == 0)
    assert n == gone.sum()
    left = (result > 0) & ~seen
    assert (result == 0).mean() >= min(target, (~seen).mean()) - 1e-12
    if gone.any():
        largest = full[gone].max()
        assert not left.any() or result[left].min() > largest
        # Without the last group of equal values it would have been too few.
        assert ((result == 0) & ~(gone & (full == largest))).mean() < target


@pytest.mark.parametrize(
    "changed",
    [{"ks": (5,)}, {"share": 0.3}, {"combine": "median"}, {"dropout_target": 0.2}],
)
def test_every_parameter_changes_the_result(grouped, changed):
    default = DrImpute(**FEW).impute(grouped, Context()).expression
    assert not np.array_equal(
        DrImpute(**{**FEW, **changed}).impute(grouped, Context()).expression, default
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "counts",
    [
        np.full((6, 5), 4),
        np.eye(6, 6) * 7,
        np.random.default_rng(0).poisson(2, (9, 1)) + 1,
        np.repeat(np.random.default_rng(0).poisson(2, (1, 8)), 6, axis=0),
        np.random.default_rng(0).poisson(2, (12, 9)) * 10**7,
    ],
    ids=["constant", "one gene each", "one gene", "all the same", "large"],
)
def test_degenerate_data_give_valid_results(counts):
    observed = Observed.from_counts(counts)
    imputed = DrImpute(ks=(2, 3), n_starts=5).impute(observed, Context())
    imputed.check(observed)
    seen = observed.lognorm > 0
    np.testing.assert_array_equal(imputed.expression[seen], observed.lognorm[seen])


def test_fewer_cells_than_clusters_are_refused(grouped):
    few = Observed.from_counts(grouped.counts[:14])
    with pytest.raises(InputError, match=r"at least 15 cells must have counts; 14 have"):
        DrImpute().impute(few, Context())
    with pytest.raises(InputError, match="ks is empty"):
        DrImpute(ks=())
