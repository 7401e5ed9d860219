import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp

from impbench.data.dataset import Dataset
from impbench.imputer import Imputed
from impbench.metrics.false_signal import false_clusters, false_de, false_de_random, false_de_types
from impbench.metrics.gene_correlation import false_correlation, false_pairs
from impbench.protocols.false_signal import FalseSignal
from impbench.protocols.gene_pairs import pair_correlations
from impbench.protocols.independent_genes import permute_genes, relative_depth
from impbench.protocols.true_correlation import TrueCorrelation

N_CELLS, N_GENES = 600, 80


@pytest.fixture(scope="module")
def strong() -> Dataset:
    """Three types with genes of their own, and library sizes that vary fourfold."""
    rng = np.random.default_rng(7)
    labels = np.repeat(["a", "b", "c"], N_CELLS // 3)
    rates = np.full((3, N_GENES), 6.0)
    for group in range(3):
        rates[group, group * 20 : group * 20 + 20] = 30
    depth = rng.uniform(0.5, 2, (N_CELLS, 1))
    true = rng.poisson(rates[np.repeat([0, 1, 2], N_CELLS // 3)] * depth)
    counts = true * (rng.random(true.shape) > 0.2)
    elsewhere = rng.poisson(500 * depth[:, 0])
    return Dataset(
        name="strong",
        counts=counts,
        gene_names=tuple(f"g{j}" for j in range(N_GENES)),
        cell_names=tuple(f"c{i}" for i in range(N_CELLS)),
        library_size=(counts.sum(axis=1) + elsewhere).astype(float),
        labels=labels,
        true_counts=true,
    )


def mean_square(r):
    return float(np.nanmean(np.square(r, dtype=np.float64)))


def test_genes_are_uncorrelated_beyond_the_library_size(strong):
    every = np.arange(N_GENES)
    before = pair_correlations(strong.counts.astype(float), every)
    depth = relative_depth(strong.library_size)
    shown = permute_genes(strong, every, depth, seed=1)
    with_depth = pair_correlations(shown.counts.astype(float), every)
    # Given its depth p, a cell expects p · mean of every gene, and its variance is
    # p² σ² + p (1 − p) mean: what is left over is chance.
    p, mean, variance = depth[:, None], strong.counts.mean(axis=0), strong.counts.var(axis=0)
    spread = np.sqrt(p**2 * variance + p * (1 - p) * mean)
    residual = pair_correlations((shown.counts - p * mean) / spread, every)
    chance = 1 / (N_CELLS - 1)
    assert mean_square(before) > 40 * chance
    assert mean_square(with_depth) > 5 * chance, "the library size's effect is kept"
    assert mean_square(residual) == pytest.approx(chance, rel=0.15)
    assert abs(residual.mean()) < 3 / np.sqrt(N_CELLS * len(residual)) + 0.002


def test_library_sizes_stay_in_proportion(strong):
    shown = permute_genes(strong, np.arange(N_GENES), relative_depth(strong.library_size), seed=1)
    assert np.corrcoef(shown.library_size, relative_depth(strong.library_size))[0, 1] > 0.95
    equal = permute_genes(strong, np.arange(N_GENES), None, seed=1)
    assert abs(np.corrcoef(equal.library_size, strong.library_size)[0, 1]) < 0.15


def test_without_thinning_every_gene_keeps_its_counts(strong):
    shown = permute_genes(strong, np.array([3, 50]), None, seed=2)
    np.testing.assert_array_equal(np.sort(shown.counts, axis=0), np.sort(strong.counts, axis=0))
    same = (shown.counts == strong.counts).all(axis=0)
    assert list(np.flatnonzero(~same)) == [3, 50]
    assert shown.true_counts is None


def test_sparse_and_dense_counts_are_permuted_alike(strong):
    sparse = dataclasses.replace(strong, counts=sp.csr_matrix(strong.counts))
    depth = relative_depth(strong.library_size)
    first, second = (
        permute_genes(one, np.arange(5, 40), depth, seed=3) for one in (strong, sparse)
    )
    assert sp.issparse(second.counts)
    np.testing.assert_array_equal(second.counts.toarray(), first.counts)
    np.testing.assert_array_equal(second.library_size, first.library_size)


def test_relative_depth_is_cut_at_two_medians():
    np.testing.assert_allclose(relative_depth(np.array([1.0, 2, 2, 3])), [1 / 3, 2 / 3, 2 / 3, 1])
    np.testing.assert_allclose(relative_depth(np.array([0.0, 2, 2, 9])), [0, 0.5, 0.5, 1])
    np.testing.assert_array_equal(relative_depth(np.zeros(3)), 1)


def scores(protocol, problem, imputed):
    evidence = dict(protocol.evidence(problem, imputed, 1))
    evidence["observed_counts"] = lambda: problem.observed.counts
    metrics = (
        false_correlation,
        false_pairs,
        false_clusters,
        false_de,
        false_de_random,
        false_de_types,
    )
    return {
        m.name: m(**{need: evidence[need]() for need in m.needs})
        for m in metrics
        if m.name in problem.metrics
    }


def test_nothing_is_found_where_nothing_is_made_up(strong):
    protocol = FalseSignal()
    problem = protocol.pose(strong, 1)
    found = scores(protocol, problem, Imputed(problem.observed.lognorm, "lognorm"))
    assert found["false-clusters"] == 0
    assert found["false-de"] == 0
    assert found["false-de-random"] == 0
    assert found["false-pairs"] < 0.01
    assert found["false-correlation"] == pytest.approx(np.sqrt(2 / np.pi / N_CELLS), rel=0.1)
    flat = np.ones_like(problem.observed.lognorm)
    assert set(scores(protocol, problem, Imputed(flat, "lognorm")).values()) == {0.0}


def test_clusters_correlations_and_genes_made_up_are_counted(strong):
    protocol = FalseSignal()
    problem = protocol.pose(strong, 1)
    # A method that sorts the cells into three groups by chance and gives each its mean profile.
    values = problem.observed.lognorm
    group = np.random.default_rng(0).integers(0, 3, N_CELLS)
    profiles = np.stack([values[group == g].mean(axis=0) for g in range(3)])
    noise = np.random.default_rng(1).normal(0, 0.01, values.shape)
    found = scores(protocol, problem, Imputed((profiles[group] + noise).astype("f4"), "lognorm"))
    assert found["false-clusters"] == 2
    assert found["false-de"] > 0.9
    assert found["false-pairs"] > 0.8
    assert found["false-correlation"] > 0.5
    assert found["false-de-random"] < 0.1


def test_signal_that_spills_over_to_permuted_genes_is_found(strong):
    protocol = FalseSignal(share=0.5)
    problem = protocol.pose(strong, 1)
    permuted = problem.hidden.extra["null_genes"]
    assert len(permuted) == 40
    assert problem.metrics == ("false-de-types", "false-correlation", "false-pairs")
    values = problem.observed.lognorm
    honest = scores(protocol, problem, Imputed(values, "lognorm"))
    by_type = np.stack([values[strong.labels == one].mean(axis=0) for one in "abc"])
    smooth = np.repeat(by_type, N_CELLS // 3, axis=0)
    spilling = scores(protocol, problem, Imputed(0.5 * values + 0.5 * smooth, "lognorm"))
    assert spilling["false-de-types"] > honest["false-de-types"] + 0.2


def test_normalised_values_cannot_be_thinned_but_permuted(strong):
    scaled = dataclasses.replace(strong, counts=strong.counts * 0.7, counts_are_raw=False)
    assert "depth=equal" in FalseSignal().obstacle(scaled)
    assert FalseSignal(depth="equal").obstacle(scaled) is None
    FalseSignal(depth="equal").pose(scaled, 1)
    assert "three permuted genes" in FalseSignal(share=0.01).obstacle(strong)


def test_the_same_seed_poses_the_same_problem(strong):
    first, same, other = (FalseSignal().pose(strong, seed).observed.counts for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_samples_of_cells_and_genes_are_said(strong):
    problem = FalseSignal(max_cells=100, max_genes=10).pose(strong, 1)
    text = " ".join(problem.conventions)
    assert "100 cells drawn from 600" in text
    assert "correlations of 10 genes" in text
    assert len(problem.hidden.extra["paired_genes"]) == 10
    evidence = FalseSignal(max_cells=100, max_genes=10).evidence(
        problem, Imputed(problem.observed.lognorm, "lognorm"), 1
    )
    assert evidence["clusters"]().shape == (100,)
    assert evidence["pair_correlations"]().shape == (45,)


def test_true_correlations_are_all_kept_by_the_truth(strong):
    protocol = TrueCorrelation()
    assert protocol.obstacle(strong) is None
    problem = protocol.pose(strong, 1)
    pairs = protocol.evidence(problem, problem.hidden.truth(), 1)["pair_correlations"]()
    np.testing.assert_array_equal(pairs, problem.hidden.extra["pair_correlations_true"])
    first = np.corrcoef(problem.hidden.truth().expression, rowvar=False)[0, 1:]
    np.testing.assert_allclose(pairs[: N_GENES - 1], first, atol=1e-6)


def test_pairs_of_a_drawn_subset_of_genes(strong):
    protocol = TrueCorrelation(max_genes=6)
    problem = protocol.pose(strong, 1)
    genes = problem.hidden.extra["paired_genes"]
    assert len(genes) == 6
    truth = problem.hidden.truth()
    expected = np.corrcoef(truth.expression[:, genes], rowvar=False)[np.triu_indices(6, 1)]
    pairs = protocol.evidence(problem, truth, 1)["pair_correlations"]()
    np.testing.assert_allclose(pairs, expected, atol=1e-6)
    real = dataclasses.replace(strong, true_counts=None)
    assert "no true counts" in protocol.obstacle(real)
