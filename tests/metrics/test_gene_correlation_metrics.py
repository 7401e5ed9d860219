import math

import numpy as np
import pytest
from scipy import stats

from impbench.metrics.false_signal import (
    false_clusters,
    false_de,
    false_de_random,
    false_de_types,
    false_silhouette,
)
from impbench.metrics.gene_correlation import (
    correlation_pearson,
    correlation_rmsd,
    correlation_spearman,
    false_correlation,
    false_pairs,
)

TRUE = np.array([0.1, -0.4, np.nan, 0.9, 0.2])
FOUND = np.array([0.2, -0.1, 0.7, 0.5, 0.6])


def test_agreement_is_scipys_over_pairs_that_have_a_true_correlation():
    x, true = np.delete(FOUND, 2), np.delete(TRUE, 2)
    assert correlation_pearson(FOUND, TRUE) == pytest.approx(stats.pearsonr(x, true).statistic)
    assert correlation_spearman(FOUND, TRUE) == pytest.approx(stats.spearmanr(x, true).statistic)
    assert correlation_rmsd(FOUND, TRUE) == pytest.approx(
        math.sqrt((0.1**2 + 0.3**2 + 0.4**2 + 0.4**2) / 4)
    )


def test_no_correlation_at_all_keeps_none():
    assert correlation_pearson(np.zeros(5), TRUE) == 0
    assert correlation_spearman(np.zeros(5), TRUE) == 0
    assert math.isnan(correlation_pearson(FOUND, np.full(5, np.nan)))
    assert math.isnan(correlation_rmsd(FOUND, np.full(5, np.nan)))


def test_mean_absolute_correlation():
    assert false_correlation(np.array([0.1, -0.3, 0.2])) == pytest.approx(0.2)
    assert math.isnan(false_correlation(np.array([])))


def test_share_of_pairs_follows_scipys_p_values():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 12))
    values[:, :4] += 1.5 * rng.normal(size=(40, 1))
    tests = [stats.pearsonr(values[:, i], values[:, j]) for i in range(12) for j in range(i)]
    expected = np.mean(stats.false_discovery_control([test.pvalue for test in tests]) <= 0.05)
    r = np.array([test.statistic for test in tests])
    assert 0 < expected < 1
    assert false_pairs(r, np.zeros((40, 12))) == expected
    assert false_pairs(np.ones(3), np.zeros((40, 12))) == 1
    assert math.isnan(false_pairs(r, np.zeros((2, 12))))


def test_clusters_beyond_the_first():
    assert false_clusters(np.zeros(5, dtype=int)) == 0
    assert false_clusters(np.array([0, 1, 2, 1])) == 2


def test_silhouette_of_one_cluster_or_of_overlapping_ones_is_nothing():
    points = np.array([[0.0], [1], [10], [11]])
    assert false_silhouette(points, np.zeros(4)) == 0
    assert false_silhouette(points, np.array([0, 1, 0, 1])) == 0
    # Each: nearest other cluster 10 and 9 or 11 away on average 10.5 or 9.5, own neighbour 1 away.
    expected = np.mean([1 - 1 / 10.5, 1 - 1 / 9.5, 1 - 1 / 9.5, 1 - 1 / 10.5])
    assert false_silhouette(points, np.array([0, 0, 1, 1])) == pytest.approx(expected)


@pytest.mark.parametrize("metric", [false_de, false_de_random, false_de_types])
def test_a_gene_counts_once_however_many_groups_it_seems_to_differ_in(metric):
    # Adjusted within rows: 0.04, 0.06, 0.9, 0.9 and 0.004, 0.9, 0.9, 0.9.
    p = np.array([[0.01, 0.03, 0.9, 0.9], [0.001, 0.9, 0.9, 0.9]])
    assert metric(p) == 0.25
    assert metric(np.zeros((0, 4))) == 0
