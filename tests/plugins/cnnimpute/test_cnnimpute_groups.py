from pathlib import Path

import anndata
import numpy as np
import pytest
from impbench_plugins.cnnimpute.density_peaks import (
    density_peaks,
    isolations,
    mean_silhouette,
    normal_bandwidth,
)
from impbench_plugins.cnnimpute.dropouts import cluster_dropouts
from impbench_plugins.cnnimpute.groups import find_groups, most_typical
from impbench_plugins.shared.dropout_mixture import dropout_probabilities, fit_mixtures, log_cpm
from scipy.spatial.distance import cdist
from sklearn.metrics import adjusted_rand_score, silhouette_score

from impbench.errors import InputError

DATA = Path(__file__).parents[2] / "data"


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


def test_each_coordinate_counts_by_its_own_deviation():
    points, _ = clouds(3)
    wide = points * np.array([1.0, 1000.0, 1.0])
    np.testing.assert_array_equal(density_peaks(points, [3]), density_peaks(wide, [3]))


def test_a_given_number_of_clusters_is_kept():
    assert len(density_peaks(clouds(3)[0], [4])) == 4


def test_isolation_is_the_distance_to_the_nearest_denser_point():
    rng = np.random.default_rng(0)
    density, distances = rng.random(9), cdist(points := rng.normal(size=(9, 3)), points)
    expected = [
        min((distances[i, j] for j in range(9) if density[j] > density[i]), default=None)
        for i in range(9)
    ]
    densest = int(density.argmax())
    expected[densest] = max(each for i, each in enumerate(expected) if i != densest)
    np.testing.assert_allclose(isolations(density, distances), expected)


def test_of_two_copies_of_a_point_only_one_is_isolated():
    points = np.array([[0.0], [0.0], [1.0], [9.0]])
    got = isolations(np.array([2.0, 2.0, 1.0, 1.0]), cdist(points, points))
    np.testing.assert_allclose(got, [8, 0, 1, 8])


def test_silhouette_equals_scikit_learns():
    points, labels = clouds(3, n=12)
    labels[0] = 3  # Alone in its cluster.
    expected = silhouette_score(points, labels)
    assert mean_silhouette(cdist(points, points), labels, 4) == pytest.approx(expected)
    assert mean_silhouette(cdist(points, points), np.zeros(36, int), 2) == 0


def test_bandwidth_is_silvermans_in_one_dimension():
    assert normal_bandwidth(100, 1) == pytest.approx((4 / 3) ** 0.2 * 100**-0.2)


def counts_of_types(n_cells=60, n_types=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n_cells) % n_types
    return rng.poisson(rng.gamma(1.0, 20.0, (n_types, 30))[labels]) + 1, labels


def test_groups_are_those_of_clearly_different_cells():
    counts, labels = counts_of_types()
    found, coordinates = find_groups(counts, None, 10.0, 1)
    assert coordinates.shape == (60, 3)
    assert adjusted_rand_score(labels, found) > 0.6
    assert set(find_groups(counts, 4, 10.0, 1)[0]) == {0, 1, 2, 3}


def test_groups_are_those_of_the_program():
    counts = anndata.read_h5ad(DATA / "inputs" / "small_batch.h5ad").X.toarray()
    program = np.load(DATA / "cnnimpute" / "original.npz")["clusters_small_batch"]
    # Where t-SNE ends depends on the last bit, so single cells may differ.
    found = find_groups(counts, None, None, 1)[0]
    assert adjusted_rand_score(program, found) > 0.9


def test_of_several_groupings_the_most_typical_is_taken():
    one, other = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 0, 1, 0, 1])
    assert most_typical([other, one, 1 - one]) == 1
    assert most_typical([one, other]) == 0


@pytest.mark.parametrize(("n_cells", "wanted"), [(90, "more than 90"), (15, "more than 15")])
def test_too_few_cells_for_the_published_perplexity_are_refused(n_cells, wanted):
    with pytest.raises(InputError, match=f"{wanted} cells .* got {n_cells}; pass a perplexity"):
        find_groups(counts_of_types(n_cells)[0], None, None, 1)


def test_more_clusters_than_dense_cells_are_refused():
    with pytest.raises(InputError, match="too many for 16 cells"):
        find_groups(counts_of_types(16)[0], 16, None, 1)


def test_dropout_probabilities_are_scimputes_but_for_counted_values():
    rng = np.random.default_rng(0)
    counts = rng.poisson(rng.gamma(2, 15, (1, 30)) * np.ones((40, 1)))
    counts[rng.random(counts.shape) < 0.3] = 0
    counts[:, 7] = 0
    counts[:5, 3] = 1  # With a million counts elsewhere as little as a zero.
    counts[:, 0] = 1_000_000
    values, nonzero = log_cpm(counts), counts > 0
    parameters = fit_mixtures(values)
    genes, plain = cluster_dropouts(values, nonzero, spare_nonzeros=False)
    assert 7 not in genes  # Never seen: no mixture.
    known = np.ascontiguousarray(values[:, genes])
    np.testing.assert_array_equal(plain, dropout_probabilities(known, parameters[genes]))
    assert (plain[counts[:, genes] == 0] > 0.5).mean() > 0.8
    _, spared = cluster_dropouts(values, nonzero, spare_nonzeros=True)
    likely = nonzero[:, genes] & (plain > 0.5)
    assert likely.any()
    assert (spared[likely] == 0.4).all()
    np.testing.assert_array_equal(spared[~likely], plain[~likely])
