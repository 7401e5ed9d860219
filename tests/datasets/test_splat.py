import numpy as np
import pytest
from scipy import stats

from impbench.data import splat
from impbench.data.splat import SplatParams, dropout_probability, simulate_splat
from impbench.errors import InputError

SMALL = SplatParams(
    n_genes=200,
    batch_cells=(150, 100, 50),
    group_prob=(0.5, 0.3, 0.2),
    dropout_type="group",
    dropout_mid=(1.0, 2.0, 3.0),
    dropout_shape=-0.8,
    seed=7,
)


def but(params=SMALL, **changes) -> SplatParams:
    return SplatParams(**{**params.parameters(), **changes})


def arrays(simulation):
    return {name: value for name, value in vars(simulation).items() if name != "params"}


def test_defaults_are_those_of_splatter():
    assert SplatParams().parameters() == {
        "n_genes": 10_000,
        "batch_cells": (100,),
        "mean_shape": 0.6,
        "mean_rate": 0.3,
        "lib_loc": 11.0,
        "lib_scale": 0.2,
        "lib_norm": False,
        "out_prob": 0.05,
        "out_fac_loc": 4.0,
        "out_fac_scale": 0.5,
        "group_prob": (1.0,),
        "de_prob": 0.1,
        "de_down_prob": 0.5,
        "de_fac_loc": 0.1,
        "de_fac_scale": 0.4,
        "batch_fac_loc": 0.1,
        "batch_fac_scale": 0.1,
        "batch_rm_effect": False,
        "bcv_common": 0.1,
        "bcv_df": 60.0,
        "dropout_type": "none",
        "dropout_mid": 0.0,
        "dropout_shape": -1.0,
        "seed": 1,
    }


@pytest.mark.parametrize("threads", [2, 5])
def test_result_does_not_depend_on_threads(threads, monkeypatch):
    monkeypatch.setattr(splat, "BLOCK_ENTRIES", 200 * 16)  # 19 blocks
    alone, shared = simulate_splat(SMALL, threads=1), simulate_splat(SMALL, threads=threads)
    for name, value in arrays(alone).items():
        np.testing.assert_array_equal(value, getattr(shared, name), err_msg=name)


def test_same_seed_same_result_other_seed_other_result():
    first, again = simulate_splat(SMALL), simulate_splat(SMALL)
    other = simulate_splat(but(seed=8))
    for name, value in arrays(first).items():
        np.testing.assert_array_equal(value, getattr(again, name), err_msg=name)
    same = {n for n, v in arrays(first).items() if np.array_equal(v, getattr(other, n))}
    assert same == {"batches", "genes", "dropout_mid", "dropout_shape"}


def test_blocks_of_cells_are_drawn_independently(monkeypatch):
    monkeypatch.setattr(splat, "BLOCK_ENTRIES", 200 * 50)
    params = but(batch_cells=(100,), group_prob=(1.0,), lib_scale=0.0, dropout_mid=1.0)
    simulation = simulate_splat(params)
    first, second = simulation.true_counts[:50], simulation.true_counts[50:]
    assert (first != second).mean() > 0.5


def test_no_dropout_leaves_the_true_counts():
    simulation = simulate_splat(but(dropout_type="none", dropout_mid=0.0))
    np.testing.assert_array_equal(simulation.counts, simulation.true_counts)


def test_dropout_only_turns_counts_into_zeros():
    simulation = simulate_splat(SMALL)
    kept = simulation.counts > 0
    np.testing.assert_array_equal(simulation.counts[kept], simulation.true_counts[kept])
    assert 0 < kept.sum() < (simulation.true_counts > 0).sum()


def test_true_counts_do_not_depend_on_dropout():
    without = simulate_splat(but(dropout_type="none", dropout_mid=0.0))
    np.testing.assert_array_equal(without.true_counts, simulate_splat(SMALL).true_counts)


def test_dropout_probability_is_the_published_logistic():
    means, mid, shape = np.array([0.5, 3.0, 20.0]), 2.0, -0.7
    by_hand = 1 / (1 + np.exp(-shape * (np.log(means) - mid)))
    np.testing.assert_allclose(dropout_probability(means, mid, shape), by_hand, rtol=1e-12)
    assert dropout_probability(np.exp(mid), mid, shape) == pytest.approx(0.5)
    assert dropout_probability(0.0, mid, shape) == pytest.approx(1)
    assert dropout_probability(0.0, mid, 0.0) == 0.5


@pytest.mark.parametrize("dropout_type", ["experiment", "batch", "group", "cell"])
def test_each_unit_has_its_own_dropout_curve(dropout_type):
    # A curve at mid 1e6 loses everything; one at -1e6 loses nothing.
    units = {"experiment": 1, "batch": 3, "group": 3, "cell": 300}[dropout_type]
    mid = tuple(1e6 if unit == units - 1 else -1e6 for unit in range(units))
    simulation = simulate_splat(but(dropout_type=dropout_type, dropout_mid=mid))
    unit_of_cell = {
        "experiment": np.zeros(300),
        "batch": simulation.batches,
        "group": simulation.groups,
        "cell": np.arange(300),
    }[dropout_type]
    lost = unit_of_cell == units - 1
    assert not simulation.counts[lost].any()
    np.testing.assert_array_equal(simulation.counts[~lost], simulation.true_counts[~lost])


def test_flat_dropout_loses_counts_at_its_rate():
    # Shape 0 makes the probability one half whatever the mean.
    simulation = simulate_splat(but(dropout_shape=0.0))
    positive = simulation.true_counts > 0
    lost = int((positive & (simulation.counts == 0)).sum())
    assert stats.binomtest(lost, int(positive.sum())).pvalue > 0.001


def test_cells_are_labelled_by_batch_and_group():
    simulation = simulate_splat(SMALL)
    assert np.bincount(simulation.batches).tolist() == [150, 100, 50]
    assert (np.diff(simulation.batches) >= 0).all()
    sizes = np.bincount(simulation.groups, minlength=3)
    assert stats.chisquare(sizes, 300 * np.array(SMALL.group_prob)).pvalue > 0.001


def test_means_of_true_counts_follow_library_batch_and_group():
    simulation = simulate_splat(
        but(batch_cells=(2000, 2000), bcv_common=0.0, dropout_type="none", dropout_mid=0.0)
    )
    for batch in (0, 1):
        for group in (0, 1, 2):
            cells = (simulation.batches == batch) & (simulation.groups == group)
            share = (
                simulation.gene_means
                * simulation.batch_factors[batch]
                * simulation.de_factors[group]
            )
            expected = share / share.sum() * simulation.expected_library_size[cells].sum()
            got = simulation.true_counts[cells].sum(axis=0)
            # Gamma–Poisson with BCV = factor / √mean: variance mean · (1 + factor²), at most 6 sd.
            sd = np.sqrt(expected * (1 + simulation.bcv_factors**2))
            assert (np.abs(got - expected) < 6 * sd + 6).all()


def test_one_group_has_no_differential_expression_and_one_batch_no_batch_effect():
    simulation = simulate_splat(SplatParams(n_genes=50, batch_cells=(5,), de_prob=1.0))
    assert (simulation.de_factors == 1).all()
    assert (simulation.batch_factors == 1).all()


def test_removing_batch_effects_changes_nothing_else():
    kept, removed = simulate_splat(SMALL), simulate_splat(but(batch_rm_effect=True))
    assert (kept.batch_factors != 1).all()
    assert (removed.batch_factors == 1).all()
    for name in ("gene_means", "de_factors", "groups", "expected_library_size", "bcv_factors"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(removed, name), err_msg=name)


def test_factors_may_differ_between_groups_and_batches():
    simulation = simulate_splat(
        but(de_prob=(0.0, 0.5, 1.0), de_down_prob=(0.5, 0.0, 1.0), batch_fac_loc=(0.0, 1.0, 2.0))
    )
    shares = (simulation.de_factors != 1).mean(axis=1)
    assert shares[0] == 0
    assert 0.35 < shares[1] < 0.65
    assert shares[2] == 1
    assert (simulation.de_factors[1] >= 1).all()
    assert (simulation.de_factors[2] <= 1).all()
    sizes = np.abs(np.log(simulation.batch_factors)).mean(axis=1)
    np.testing.assert_allclose(sizes[1:], [1, 2], atol=0.05)


def test_outliers_are_multiples_of_the_median_mean():
    simulation = simulate_splat(but(out_prob=0.3))
    outlier = simulation.outlier_factors != 1
    assert 0.15 < outlier.mean() < 0.45
    expected = np.median(simulation.base_gene_means) * simulation.outlier_factors[outlier]
    np.testing.assert_allclose(simulation.gene_means[outlier], expected)
    np.testing.assert_array_equal(
        simulation.gene_means[~outlier], simulation.base_gene_means[~outlier]
    )
    assert (simulation.outlier_factors >= 1).all()


def test_normal_library_sizes_are_never_negative():
    simulation = simulate_splat(but(lib_norm=True, lib_loc=100.0, lib_scale=100.0))
    sizes = simulation.expected_library_size
    assert (sizes > 0).all()
    assert np.unique(sizes, return_counts=True)[1][0] > 20  # those that were drawn below 0


def test_infinite_degrees_of_freedom_mean_no_scatter_of_the_bcv():
    assert (simulate_splat(but(bcv_df=float("inf"))).bcv_factors == 1).all()


def test_rarely_seen_genes_are_left_out_with_their_facts():
    whole, part = simulate_splat(SMALL), simulate_splat(SMALL, min_cells=150)
    seen = (whole.counts > 0).sum(axis=0) >= 150
    assert 20 < seen.sum() < 180
    np.testing.assert_array_equal(part.genes, np.flatnonzero(seen))
    assert part.counts.flags.c_contiguous
    for name in ("counts", "true_counts", "de_factors", "batch_factors"):
        expected = getattr(whole, name)[:, seen]
        np.testing.assert_array_equal(getattr(part, name), expected, err_msg=name)
    for name in ("base_gene_means", "outlier_factors", "gene_means", "bcv_factors"):
        expected = getattr(whole, name)[seen]
        np.testing.assert_array_equal(getattr(part, name), expected, err_msg=name)


def test_three_cells_and_one_gene_are_enough():
    simulation = simulate_splat(but(batch_cells=(1, 1, 1), n_genes=1))
    assert simulation.counts.shape == (3, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_genes": 0}, "n_genes=0 must be at least 1"),
        ({"batch_cells": ()}, r"batch_cells=\(\) must hold one number for each batch"),
        ({"batch_cells": (10, 0)}, r"batch_cells=\(10, 0\) must be at least 1"),
        ({"mean_shape": 0.0}, "mean_shape=0.0 must be above 0"),
        ({"mean_rate": -1.0}, "mean_rate=-1.0 must be above 0"),
        ({"bcv_df": 0.0}, "bcv_df=0.0 must be above 0"),
        ({"lib_loc": float("nan")}, "lib_loc=nan must be finite"),
        ({"out_prob": 1.5}, "out_prob=1.5 must be at least 0 and at most 1"),
        ({"group_prob": (0.5, 0.6)}, r"group_prob=\(0.5, 0.6\) must sum to 1, it sums to 1.1"),
        ({"de_prob": (0.1, 0.2)}, r"de_prob=\(0.1, 0.2\) holds 2 values.* 3, one per group"),
        ({"batch_fac_loc": (0.1,)}, r"batch_fac_loc=\(0.1,\) holds 1 values.* 3, one per batch"),
        ({"dropout_type": "gene"}, "dropout_type='gene' is not none | experiment"),
        ({"dropout_mid": (1.0, 2.0)}, r"dropout_mid=\(1.0, 2.0\) holds 2 values.*one per group"),
        ({"seed": -1}, "seed=-1 must be at least 0"),
    ],
)
def test_wrong_parameters_are_named(changes, message):
    with pytest.raises(InputError, match=message):
        but(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mean_shape": 1e-8}, "no gene is expressed"),
        ({"lib_norm": True, "lib_loc": -1e6}, "raise lib_loc"),
        ({"lib_loc": 30.0}, "does not fit 32 bits; lower lib_loc"),
    ],
)
def test_impossible_simulations_say_so(changes, message):
    with pytest.raises(InputError, match=message):
        simulate_splat(but(**changes))
