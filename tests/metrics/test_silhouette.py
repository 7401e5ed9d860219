"""Silhouette widths: Rousseeuw's definition, and scikit-learn's, for many shapes of data."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import silhouette_score

from impbench.metrics import silhouette
from impbench.metrics.silhouette import silhouettes


def by_definition(points, groups):
    """Rousseeuw (1987), cell by cell, as printed."""
    distance = np.linalg.norm(points[:, None] - points[None, :], axis=2)
    widths = []
    for i, group in enumerate(groups):
        own = (groups == group) & (np.arange(len(groups)) != i)
        if not own.any():
            widths.append(0.0)
            continue
        a = distance[i, own].mean()
        b = min(distance[i, groups == other].mean() for other in set(groups) - {group})
        widths.append((b - a) / max(a, b))
    return np.mean(widths)


def three_groupings(n, rng):
    """Return types, clusters that are nearly the types, and batches, with one cell alone."""
    types = rng.integers(0, 5, n)
    clusters = np.where(rng.random(n) < 0.1, rng.integers(0, 5, n), types)
    clusters[0] = 7
    return np.array(list("fbdac"))[types], clusters, rng.integers(0, 2, n).astype(bool)


@given(st.integers(0, 200))
def test_silhouettes_are_rousseeuws(seed):
    rng = np.random.default_rng(seed)
    points, groups = rng.normal(size=(15, 3)), rng.permutation([0] * 8 + [1] * 6 + [2])
    crossed = np.array(list("pq"))[rng.permutation(np.arange(15) % 2)]
    found = silhouettes(points, [groups, crossed])
    assert found == pytest.approx([by_definition(points, groups), by_definition(points, crossed)])


def test_worked_example():
    points = np.array([[0.0], [1.0], [5.0], [7.0]])
    # s = (6 - 1)/6, (5 - 1)/5, (4.5 - 2)/4.5, (6.5 - 2)/6.5
    expected = np.mean([5 / 6, 4 / 5, 2.5 / 4.5, 4.5 / 6.5])
    assert silhouettes(points, [np.array(["u", "u", "v", "v"])]) == pytest.approx([expected])


@pytest.mark.parametrize("tile", [7, 64, 1024])
def test_tiles_and_order_of_cells_change_nothing(monkeypatch, tile):
    rng = np.random.default_rng(1)
    points, groupings = rng.normal(size=(200, 4)), three_groupings(200, rng)
    expected = silhouettes(points, groupings)
    monkeypatch.setattr(silhouette, "CELLS_PER_TILE", tile)
    assert silhouettes(points, groupings) == pytest.approx(expected, abs=1e-12)
    order = rng.permutation(200)
    shuffled = silhouettes(points[order], [groups[order] for groups in groupings])
    assert shuffled == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("n", "spread", "offset", "unit"),
    [
        (4200, 3.0, 0, 1),
        (4200, 1e-3, 0, 1),
        (4200, 3.0, 1e4, 1e-30),
        (500, 3.0, 0, 1),
        (500, 1e-7, 0, 1),
        (500, 3.0, 1e4, 1e30),
    ],
)
def test_as_scikit_learn_finds_them_in_double_precision(n, spread, offset, unit):
    """Also in single precision, of groups that are nearly points, and far from the origin."""
    rng = np.random.default_rng(2)
    groupings = three_groupings(n, rng)
    centres = 3 * rng.normal(size=(5, 10))[np.unique(groupings[0], return_inverse=True)[1]]
    points = (centres + spread * rng.normal(size=(n, 10)) + offset) * unit
    expected = [silhouette_score(points / unit, groups) for groups in groupings]
    assert silhouettes(points, groupings) == pytest.approx(expected, abs=1e-7)


def test_an_outlier_does_not_cost_the_others_their_digits():
    rng = np.random.default_rng(3)
    points, groups = rng.normal(size=(4200, 10)), np.arange(4200) % 3
    points[:, 0] += groups
    points[17] += 1e5
    assert silhouettes(points, [groups]) == pytest.approx(
        [silhouette_score(points, groups)], abs=1e-7
    )


def test_cells_that_coincide():
    points = np.repeat([[0.1, 0.7], [0.3, 5.1]], 2100, axis=0)
    groups = np.repeat(["u", "v"], 2100)
    assert silhouettes(points, [groups]) == [1.0]
    assert silhouettes(np.full((6, 2), 0.1), [np.arange(6) % 2]) == [0.0]


def test_one_group_or_a_cell_in_each_has_no_width():
    points = np.random.default_rng(0).normal(size=(5, 2))
    crossed = np.array([0, 1, 0, 1, 1])
    found = silhouettes(points, [np.zeros(5), np.arange(5), crossed])
    assert math.isnan(found[0])
    assert math.isnan(found[1])
    assert found[2] == pytest.approx(by_definition(points, crossed))
    assert math.isnan(*silhouettes(np.zeros((1, 2)), [np.array(["a"])]))


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_point_that_is_no_number_is_an_error_not_a_score(wrong):
    points = np.array([[0.0], [wrong], [5.0], [7.0]])
    with pytest.raises(ValueError, match="NaN"):
        silhouettes(points, [np.array([0, 0, 1, 1])])


@pytest.mark.parametrize("n", [300, 5000])
def test_widths_of_some_cells_are_those_that_they_have_among_all(n):
    from sklearn.metrics import silhouette_samples

    rng = np.random.default_rng(2)
    types, clusters, batches = three_groupings(n, rng)
    points = rng.normal(size=(n, 10)) + 2 * clusters[:, None]
    some = rng.choice(n, n // 3, replace=False)
    found = silhouettes(points, [types, clusters, batches], some)
    expected = [silhouette_samples(points, g)[some].mean() for g in (types, clusters, batches)]
    assert found == pytest.approx(expected, abs=1e-6)
    assert silhouettes(points, [clusters], np.arange(n)) == pytest.approx(
        silhouettes(points, [clusters]), abs=1e-6
    )
