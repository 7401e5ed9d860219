"""Nearest points through single precision: those of double precision, whatever the data."""

import numpy as np
import pytest
from impbench_plugins.shared import nearest as module
from impbench_plugins.shared.nearest import LEAST, nearest
from scipy.spatial.distance import cdist

N = LEAST + 300


def by_all_pairs(points, queries, k):
    distances = cdist(queries, points)
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, order, axis=1), order


def clusters(spread, n_dimensions=12, offset=0.0):
    rng = np.random.default_rng(1)
    centres = 10 * rng.normal(size=(5, n_dimensions))[rng.integers(0, 5, N)]
    return centres + spread * rng.normal(size=(N, n_dimensions)) + offset


@pytest.mark.parametrize(
    "points",
    [
        clusters(1.0),
        clusters(1.0, n_dimensions=1),
        clusters(1.0, offset=1e6),
        clusters(1e-6),  # Rounding in single precision is larger than a cluster.
        clusters(1.0) * 1e-12,
        clusters(1.0).astype(np.float32),
    ],
    ids=["clusters", "one dimension", "far from 0", "nearly points", "small numbers", "float32"],
)
def test_neighbours_are_those_of_all_pairs(points):
    distances, indices = nearest(points, points, 9)
    expected, order = by_all_pairs(points, points, 9)
    np.testing.assert_allclose(distances, expected, rtol=1e-9, atol=0)
    np.testing.assert_array_equal(indices, order)
    assert (indices[:, 0] == np.arange(N)).all()


def test_queries_need_not_be_points_and_every_point_can_be_asked_for():
    points, queries = clusters(1.0), clusters(3.0)[:40] + 0.5
    for k in (1, N):
        distances, indices = nearest(points, queries, k)
        expected, order = by_all_pairs(points, queries, k)
        np.testing.assert_allclose(distances, expected, rtol=1e-9)
        np.testing.assert_array_equal(indices, order)


def test_blocks_change_nothing(monkeypatch):
    points = clusters(1.0)
    expected = nearest(points, points, 9)
    monkeypatch.setattr(module, "ROWS", 37)
    monkeypatch.setattr(module, "COLUMNS", 101)
    monkeypatch.setattr(module, "REMEASURED", 5000)
    for ours, theirs in zip(nearest(points, points, 9), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_more_points_than_fit_that_coincide_are_at_distance_0():
    points = clusters(1.0)
    points[100:400] = points[100]
    distances, indices = nearest(points, points, 5)
    assert not distances[100:400].any()
    assert ((indices[100:400] >= 100) & (indices[100:400] < 400)).all()
