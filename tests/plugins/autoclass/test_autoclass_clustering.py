from pathlib import Path

import anndata
import numpy as np
import pytest
from impbench_plugins.autoclass.clustering import cluster_numbers, components, labels
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from impbench import Observed

INPUTS = Path(__file__).parents[2] / "data" / "inputs"


@pytest.fixture(scope="module", params=["small_rare", "small_batch"])
def lognorm(request):
    return Observed.from_counts(anndata.read_h5ad(INPUTS / f"{request.param}.h5ad").X).lognorm


@pytest.mark.parametrize("n_genes", [300, 90])
@pytest.mark.parametrize("share", [0.05, 0.2, 0.7])
def test_components_equal_scikit_learns_standardised_pca(lognorm, share, n_genes):
    values = lognorm[:, :n_genes].astype(np.float64)
    scores = PCA(n_components=share, svd_solver="full").fit_transform(values)[:, :15]
    expected = StandardScaler().fit_transform(scores)
    got = components(lognorm[:, :n_genes], share, 15)
    assert got.shape == expected.shape
    # The sign of a component is arbitrary.
    signs = np.sign((got * expected).sum(axis=0))
    np.testing.assert_allclose(got * signs, expected, atol=1e-6)


def test_labels_equal_scikit_learns_k_means_on_them(lognorm):
    scores = components(lognorm, 0.7, 15)
    expected = KMeans(9, init="k-means++", n_init=10, random_state=4).fit_predict(scores)
    np.testing.assert_array_equal(labels(scores, 9, seed=4), expected)
    assert not np.array_equal(labels(scores, 9, seed=5), expected)


def test_numbers_of_clusters_are_8_9_10_or_surround_k():
    assert cluster_numbers(None, 200) == [8, 9, 10]
    assert cluster_numbers(5, 200) == [4, 5, 6]
    assert cluster_numbers(1, 200) == [1, 2]
    assert cluster_numbers(None, 9) == [8, 9]


def test_constant_data_have_a_component_of_zeros():
    np.testing.assert_array_equal(components(np.ones((6, 4), np.float32), 0.7, 15), 0)
