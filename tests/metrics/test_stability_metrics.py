import math

import numpy as np
import pytest

from impbench.metrics.stability import (
    half_correlations,
    half_pearson,
    half_rmsd,
    seed_pearson,
    seed_rmsd,
)

RNG = np.random.default_rng(0)
HALF = np.arange(60) % 2


@pytest.mark.parametrize("values", [RNG.random((60, 9)).astype(np.float32), np.ones((60, 9))])
def test_equal_imputations_agree_exactly(values):
    assert seed_rmsd(values, values.copy()) == half_rmsd(values, values.copy()) == 0
    assert seed_pearson(values, values.copy()) == half_pearson(values, values.copy()) == 1


def test_worked_example():
    one = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    other = one + np.array([[1.0, 0.0]])
    assert seed_rmsd(one, other) == pytest.approx(math.sqrt(1 / 2))
    assert seed_pearson(one, other) == pytest.approx(1)
    assert half_pearson(one, one * [[-1, 1]]) == pytest.approx(0)


def test_shuffled_cells_agree_in_distribution_only():
    values = RNG.normal(size=(2000, 5))
    shuffled = RNG.permuted(values, axis=0)
    assert abs(seed_pearson(values, shuffled)) < 0.05
    assert seed_rmsd(values, shuffled) == pytest.approx(math.sqrt(2), rel=0.05)


def test_gene_correlations_of_halves_are_compared_as_numpy_would():
    apart = RNG.normal(size=(60, 4)) @ RNG.normal(size=(4, 12))
    pairs = np.triu_indices(12, k=1)
    matrices = [np.corrcoef(apart[k == HALF], rowvar=False)[pairs] for k in (0, 1)]
    expected = np.corrcoef(*matrices)[0, 1]
    assert half_correlations(apart, HALF) == pytest.approx(expected)


def test_structure_in_both_halves_agrees_and_independent_genes_do_not():
    factors = RNG.normal(size=(60, 1)) * np.ones((1, 20)) * RNG.choice([-1, 1], 20)
    noise = RNG.normal(size=(60, 20))
    assert half_correlations(factors + 0.1 * noise, HALF) > 0.99
    assert abs(half_correlations(noise, HALF)) < 0.3


def test_genes_constant_in_a_half_are_left_out_and_too_few_give_nan():
    values = RNG.normal(size=(60, 5))
    with_constant = np.column_stack([values, np.where(HALF == 0, 1.0, values[:, 0])])
    assert half_correlations(with_constant, HALF) == half_correlations(values, HALF)
    assert math.isnan(half_correlations(values[:, :2], HALF))
    assert math.isnan(half_correlations(np.ones((60, 5)), HALF))
