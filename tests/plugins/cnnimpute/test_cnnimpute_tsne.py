"""cnnImpute's t-SNE: its forces against sums over all pairs, and where it starts."""

import numpy as np
import pytest
from impbench_plugins.cnnimpute.barnes_hut import repel
from impbench_plugins.cnnimpute.tsne import (
    embed,
    first_coordinates,
    principal_components,
    similarities,
)
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA


def points(n=60, dimensions=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, dimensions))


def exact_repulsion(y):
    q = 1 / (1 + cdist(y, y) ** 2)
    np.fill_diagonal(q, 0)
    return q.sum(), ((q**2)[:, :, None] * (y[:, None] - y[None])).sum(axis=1)


def test_with_an_angle_of_zero_the_tree_gives_the_exact_forces():
    y = points()
    force = np.empty_like(y)
    total, expected = exact_repulsion(y)
    assert repel(y, 0.0, force) == pytest.approx(total, rel=1e-12)
    np.testing.assert_allclose(force, expected, atol=1e-12)


def test_with_the_published_angle_forces_are_close():
    y = points(200)
    force = np.empty_like(y)
    total, expected = exact_repulsion(y)
    assert repel(y, 0.5, force) == pytest.approx(total, rel=0.01)
    distance = np.linalg.norm(force - expected) / np.linalg.norm(expected)
    assert 0 < distance < 0.1


def test_copies_of_a_point_share_a_box_and_points_side_by_side_make_a_deep_tree():
    y = points(20)
    y[3], y[4] = y[2], y[7] + 1e-12
    force = np.empty_like(y)
    repel(y, 0.0, force)
    np.testing.assert_allclose(force, exact_repulsion(y)[1], atol=1e-9)


def test_first_coordinates_are_small_normal_numbers_that_r_draws():
    first = first_coordinates(400, seed=1)
    assert first.shape == (400, 3)
    assert first.std() == pytest.approx(1e-4, rel=0.05)
    assert not np.array_equal(first, first_coordinates(400, seed=2))
    # After set.seed(1), runif gives .266, .372, .573, .908, .202, .898, .945, ...; two cells make
    # one branch, which takes the first.
    x, y = 2 * np.array([0.3721239, 0.5728534]) - 1
    square = x * x + y * y
    expected = x * np.sqrt(-2 * np.log(square) / square) * 1e-4
    assert first_coordinates(2, seed=1)[0, 0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shape", [(30, 80), (80, 30)])
def test_components_are_principal_ones_whatever_the_shape(shape):
    values = points(*shape)
    got = principal_components(values)
    expected = PCA(min(50, 30)).fit_transform(values)
    assert np.abs(got).max() == pytest.approx(1)
    ratio = cdist(got, got)[0, 1:] / cdist(expected, expected)[0, 1:]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)


def test_similarities_have_the_perplexity_asked_for():
    near = similarities(points(50, 5), 5.0)
    assert near.sum() == pytest.approx(1)
    assert abs(near - near.T).max() == 0
    assert near.getnnz(axis=1).min() >= 15
    # With all others as neighbours of points on a circle all rows are alike.
    angles = np.linspace(0, 2 * np.pi, 31, endpoint=False)
    rows = similarities(np.c_[np.cos(angles), np.sin(angles)], 10.0).toarray() * 31
    entropy = -np.sum(rows[0][rows[0] > 0] * np.log(rows[0][rows[0] > 0]))
    assert np.exp(entropy) == pytest.approx(10, rel=1e-3)


def test_the_last_bits_of_the_data_change_nothing():
    values = points(40, 20)
    noise = np.random.default_rng(1).choice([-1, 1], values.shape)
    once = embed(values, 5.0, seed=1)
    np.testing.assert_array_equal(once, embed(values * (1 + 2e-16 * noise), 5.0, seed=1))
    assert not np.allclose(once, embed(values, 5.0, seed=2))
