import warnings

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from impbench.protocols.partition import kmeans, leiden

SIZES = (60, 30, 40)
TYPES = np.repeat(np.arange(3), SIZES)


@pytest.fixture(scope="module")
def points():
    rng = np.random.default_rng(0)
    return rng.normal(size=(sum(SIZES), 5)) + 6 * np.eye(5)[TYPES]


@pytest.mark.parametrize("method", [lambda p, s: kmeans(p, 3, 10, s), lambda p, s: leiden(p, 3, s)])
def test_separate_groups_are_found_whatever_the_seed_and_repeat_with_it(method, points):
    for seed in (1, 2):
        found = method(points, seed)
        assert adjusted_rand_score(TYPES, found) == 1
        np.testing.assert_array_equal(found, method(points, seed))


@pytest.mark.parametrize("method", [lambda p: kmeans(p, 7, 3, 1), lambda p: leiden(p, 7, 1)])
def test_the_number_of_threads_does_not_change_a_cluster(method):
    points = np.random.default_rng(3).normal(size=(300, 8))
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(method(points))
    np.testing.assert_array_equal(found[0], found[1])


def test_kmeans_keeps_the_best_of_its_starts():
    points = np.random.default_rng(4).normal(size=(200, 2))

    def inertia(n_init):
        found = kmeans(points, 12, n_init, seed=5)
        return sum(points[found == c].var(axis=0).sum() * (found == c).sum() for c in range(12))

    assert inertia(20) < inertia(1)


def test_kmeans_takes_fewer_distinct_cells_than_clusters_in_silence():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = kmeans(np.repeat([[0.0, 0.0], [4.0, 4.0]], 5, axis=0), 3, 10, seed=1)
    assert len(set(found)) == 2


@pytest.mark.parametrize("k", [2, 4, 8])
def test_leiden_searches_the_resolution_that_gives_k(k):
    points = np.random.default_rng(5).normal(size=(300, 2))
    found = leiden(points, k, seed=1)
    assert len(set(found)) == k
    assert found.dtype == np.int64


def test_leiden_returns_the_nearest_number_where_k_cannot_be_reached(points):
    # Two clusters of three blobs without an edge between them would need one blob to be split.
    assert len(set(leiden(points, 2, seed=1))) == 3


def test_leiden_takes_fewer_cells_than_neighbours():
    points = np.array([[0.0], [0.1], [5.0], [5.1]])
    assert len(leiden(points, 2, seed=1)) == 4
