"""Molecules are dealt fairly, and nothing shown tells where the others went."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp

from impbench.data.dataset import Dataset
from impbench.imputer import Imputed
from impbench.metrics.thinned import openproblems_poisson, thinned_mse, thinned_poisson
from impbench.protocols.molecules import deal
from impbench.protocols.thinning import Thinning


def test_every_molecule_is_in_one_pile(cells):
    for seed in range(5):
        shown, test = deal(cells, 0.9, [seed])
        np.testing.assert_array_equal(shown.counts + test.toarray(), cells.counts)
        assert (shown.library_size <= cells.library_size).all()


def test_share_of_molecules_is_as_asked_in_every_cell_and_outside_the_genes_shown(cells):
    many = dataclasses.replace(
        cells, counts=cells.counts * 1000, library_size=cells.library_size * 1000
    )
    shown, test = deal(many, 0.7, [1])
    np.testing.assert_allclose(shown.counts.sum(axis=1) / many.counts.sum(axis=1), 0.7, atol=0.02)
    np.testing.assert_allclose(shown.library_size / many.library_size, 0.7, atol=0.02)
    assert test.sum() == pytest.approx(0.3 * many.counts.sum(), rel=0.01)


def test_dense_and_sparse_are_dealt_alike_and_stay_as_they_are(cells):
    dense, one = deal(cells, 0.9, [1])
    sparse, other = deal(dataclasses.replace(cells, counts=sp.csr_matrix(cells.counts)), 0.9, [1])
    assert isinstance(dense.counts, np.ndarray)
    assert sparse.counts.nnz == np.count_nonzero(dense.counts)
    np.testing.assert_array_equal(sparse.counts.toarray(), dense.counts)
    np.testing.assert_array_equal(one.toarray(), other.toarray())


def test_piles_of_a_poisson_count_are_independent():
    rng = np.random.default_rng(0)
    counts = rng.poisson(4.0, (20_000, 1))
    shown, test = deal(
        Dataset("p", counts, ("g",), tuple(map(str, range(20_000))), counts[:, 0].astype(float)),
        0.5,
        [1],
    )
    assert abs(np.corrcoef(shown.counts[:, 0], test.toarray()[:, 0])[0, 1]) < 0.03


def test_size_factors_come_from_the_molecules_shown_alone(cells):
    problem = Thinning().pose(cells, seed=1)
    library = deal(cells, 0.9, [1, 1])[0].library_size
    np.testing.assert_allclose(problem.observed.size_factors, library / np.median(library))


def test_oracle_predicts_the_very_molecules(cells):
    problem = Thinning().pose(cells, seed=1)
    test = problem.hidden.extra["test_counts"]
    predicted = Thinning().evidence(problem, problem.hidden.truth(), 1)["predicted_test"]()
    np.testing.assert_allclose(predicted, test.toarray(), atol=1e-4)
    assert thinned_mse(predicted, test) < 1e-6


def test_prediction_has_the_depth_of_the_test_pile(cells):
    problem = Thinning().pose(cells, seed=1)
    same = Imputed(problem.observed.dense_counts.astype(float), "counts")
    predicted = Thinning().evidence(problem, same, 1)["predicted_test"]()
    assert predicted.sum() == pytest.approx(problem.hidden.extra["test_counts"].sum(), rel=1e-5)


def test_true_means_beat_the_counts_themselves(cells):
    rng = np.random.default_rng(5)
    means = rng.gamma(0.8, 3, (60, 40))
    drawn = rng.poisson(means)
    problem = Thinning().pose(
        dataclasses.replace(cells, counts=drawn, library_size=drawn.sum(axis=1).astype(float)), 1
    )
    test = problem.hidden.extra["test_counts"]

    def loss(expression: np.ndarray) -> float:
        answer = Imputed(expression, "counts")
        return thinned_poisson(Thinning().evidence(problem, answer, 1)["predicted_test"](), test)

    assert loss(0.9 * means) < loss(problem.observed.dense_counts.astype(float))


def test_normalised_values_are_an_obstacle(cells):
    assert Thinning().obstacle(cells) is None
    reason = Thinning().obstacle(dataclasses.replace(cells, counts_are_raw=False))
    assert "cells are normalised, no whole counts" in reason


def test_deal_follows_both_seeds(cells):
    def dealt(protocol: Thinning, seed: int) -> bytes:
        return protocol.pose(cells, seed).observed.dense_counts.tobytes()

    assert dealt(Thinning(), 1) == dealt(Thinning(), 1)
    assert dealt(Thinning(), 1) != dealt(Thinning(), 2)
    assert dealt(Thinning(), 1) != dealt(Thinning(split_seed=2), 1)


def test_nothing_set_aside_is_no_error(cells):
    few = dataclasses.replace(
        cells, counts=np.zeros((60, 40), dtype=int), library_size=np.zeros(60)
    )
    problem = Thinning().pose(few, seed=1)
    predicted = Thinning().evidence(problem, problem.hidden.truth(), 1)["predicted_test"]()
    test = problem.hidden.extra["test_counts"]
    assert thinned_mse(predicted, test) == 0
    assert openproblems_poisson(predicted, test) == 0
