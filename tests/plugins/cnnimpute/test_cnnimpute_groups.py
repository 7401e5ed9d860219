import numpy as np
import pytest
from impbench_plugins.cnnimpute.density_peaks import (
    density_peaks,
    isolations,
    mean_silhouette,
    normal_bandwidth,
)
from impbench_plugins.cnnimpute.dropouts import dropout_matrix
from impbench_plugins.cnnimpute.groups import embed, find_groups
from impbench_plugins.shared.dropout_mixture import dropout_probabilities, fit_mixtures, log_cpm
from scipy.spatial.distance import cdist
from sklearn.metrics import adjusted_rand_score, silhouette_score

from impbench.errors import InputError


def clouds(n_clouds, seed=0, n=40):
    rng = np.random.default_rng(seed)
    centres = rng.permutation(np.arange(n_clouds))[:, None] * 12.0 * np.array([1, 0.5, -1])
    labels = np.repeat(np.arange(n_clouds), n)
    return centres[labels] + rng.normal(size=(len(labels), 3)), labels


@pytest.mark.parametrize("n_clouds", [2, 3, 5])
def test_density_peaks_find_one_centre_in_each_cloud(n_clouds):
    points, labels = clouds(n_clouds)
    centres = density_peaks(points, range(2, 11))
    assert sorted(labels[centres]) == list(range(n_clouds))
    for centre in centres:
        mean = points[labels == labels[centre]].mean(axis=0)
        assert np.linalg.norm(points[centre] - mean) < 1.5


def test_a_given_number_of_clusters_is_kept():
    assert len(density_peaks(clouds(3)[0], [4])) == 4


def test_isolation_is_the_distance_to_the_nearest_denser_point():
    rng = np.random.default_rng(0)
    density, distances = rng.random(9), cdist(points := rng.normal(size=(9, 3)), points)
    expected = [
        min((distances[i, j] for j in range(9) if density[j] > density[i]), default=None)
        for i in range(9)
    ]
    expected[int(density.argmax())] = distances[density.argmax()].max()
    np.testing.assert_allclose(isolations(density, distances), expected)


def test_of_two_copies_of_a_point_only_one_is_isolated():
    points = np.array([[0.0], [0.0], [1.0], [9.0]])
    got = isolations(np.array([2.0, 2.0, 1.0, 1.0]), cdist(points, points))
    np.testing.assert_allclose(got, [9, 0, 1, 8])


def test_silhouette_equals_scikit_learns():
    points, labels = clouds(3, n=12)
    labels[0] = 3  # Alone in its cluster.
    expected = silhouette_score(points, labels)
    assert mean_silhouette(cdist(points, points), labels, 4) == pytest.approx(expected)
    assert mean_silhouette(cdist(points, points), np.zeros(36, int), 2) == 0


def test_bandwidth_is_silvermans_in_one_dimension():
    assert normal_bandwidth(100, 1) == pytest.approx((4 / 3) ** 0.2 * 100**-0.2)


def test_groups_are_those_of_clearly_different_cells():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    values = 4 * rng.normal(size=(3, 30))[labels] + rng.normal(size=(60, 30))
    found, coordinates = find_groups(values, None, seed=1)
    assert coordinates.shape == (60, 3)
    assert adjusted_rand_score(labels, found) > 0.6
    assert set(find_groups(values, 4, seed=1)[0]) == {0, 1, 2, 3}
    assert not find_groups(values, 1, seed=1)[0].any()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_cells", [10, 13])
def test_few_cells_can_be_embedded(n_cells):
    values = np.random.default_rng(0).normal(size=(n_cells, 20))
    coordinates = embed(values, seed=2)
    assert coordinates.shape == (n_cells, 3)
    assert np.isfinite(coordinates).all()
    np.testing.assert_array_equal(coordinates, embed(values, seed=2))


def test_more_clusters_than_dense_cells_are_refused():
    with pytest.raises(InputError, match="too many for 12 cells"):
        find_groups(np.random.default_rng(0).normal(size=(12, 5)), 12, seed=1)


def test_dropout_probabilities_are_scimputes_in_each_group():
    rng = np.random.default_rng(0)
    counts = rng.poisson(rng.gamma(2, 15, (1, 30)) * np.ones((40, 1)))
    counts[rng.random(counts.shape) < 0.3] = 0
    counts[:, 7] = 0
    labels = np.array([0] * 25 + [1] * 14 + [2])
    got = dropout_matrix(counts, labels)
    group = log_cpm(counts)[:25]
    parameters = fit_mixtures(group)
    gene = 3
    expected = dropout_probabilities(group[:, [gene]], parameters[[gene]])[:, 0]
    np.testing.assert_array_equal(got[:25, gene], expected)
    assert (got[:25][counts[:25] == 0] > 0.5).mean() > 0.8
    assert not got[:, 7].any()  # Never seen: not a dropout.
    assert not got[39].any()  # Alone in its group: no mixture.
