import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impbench.metrics.clustering import (
    ari,
    asw,
    batch_asw,
    celltype_asw,
    entropy,
    nmi,
    purity,
)

LABELS = np.array(["a"] * 5 + ["b"] * 4 + ["c"] * 3)
CLUSTERS = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 0])
# Cells by cluster and type: cluster 0: a 4, c 1; cluster 1: a 1, b 4; cluster 2: c 2.

groupings = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=2, max_size=40).map(
    lambda pairs: tuple(np.array(column) for column in zip(*pairs, strict=True))
)


def _pairs_together(groups):
    same = groups[:, None] == groups[None, :]
    return same[np.triu_indices(len(groups), k=1)]


def _entropy_of(*columns):
    _, counts = np.unique(np.stack(columns), axis=1, return_counts=True)
    shares = counts / counts.sum()
    return -(shares * np.log(shares)).sum()


def test_worked_example():
    # T = C(4,2) + C(4,2) + C(2,2) = 13; A = 10 + 6 + 3 = 19; B = 10 + 10 + 1 = 21; C(12,2) = 66.
    expected = (13 - 19 * 21 / 66) / ((19 + 21) / 2 - 19 * 21 / 66)
    assert ari(LABELS, CLUSTERS) == pytest.approx(expected)
    assert purity(LABELS, CLUSTERS) == pytest.approx((4 + 4 + 2) / 12)
    bits = 2 * (4 * math.log2(5 / 4) + math.log2(5))
    assert entropy(LABELS, CLUSTERS) == pytest.approx(bits / (12 * math.log2(3)))


@given(groupings)
def test_ari_is_the_formula_over_pairs_of_cells(grouping):
    labels, clusters = grouping
    in_type, in_cluster = _pairs_together(labels), _pairs_together(clusters)
    both, a, b, n = (in_type & in_cluster).sum(), in_type.sum(), in_cluster.sum(), len(in_type)
    chance = a * b / n
    expected = 1.0 if (a + b) / 2 == chance else (both - chance) / ((a + b) / 2 - chance)
    assert ari(labels, clusters) == pytest.approx(expected, abs=1e-9)


@given(groupings)
def test_nmi_is_twice_the_mutual_information_over_the_sum_of_entropies(grouping):
    labels, clusters = grouping
    h_labels, h_clusters = _entropy_of(labels), _entropy_of(clusters)
    mutual = h_labels + h_clusters - _entropy_of(labels, clusters)
    total = h_labels + h_clusters
    expected = 1.0 if total == 0 else 2 * mutual / total
    assert nmi(labels, clusters) == pytest.approx(expected, abs=1e-7)


@given(groupings)
def test_purity_and_entropy_by_counting_cells(grouping):
    labels, clusters = grouping
    right, bits = 0, 0.0
    for cluster in set(clusters):
        inside = list(labels[clusters == cluster])
        counts = [inside.count(label) for label in set(inside)]
        right += max(counts)
        bits -= sum(n * math.log2(n / len(inside)) for n in counts)
    n_types = len(set(labels))
    assert purity(labels, clusters) == pytest.approx(right / len(labels))
    if n_types > 1:
        expected = bits / (len(labels) * math.log2(n_types))
        assert entropy(labels, clusters) == pytest.approx(expected, abs=1e-12)


@given(groupings)
def test_names_of_groups_do_not_matter_and_scores_stay_in_range(grouping):
    labels, clusters = grouping
    renamed = np.array(["x", "a", "m", "z", "b"])[clusters]
    for metric in (ari, nmi, purity, entropy):
        score = metric(labels, clusters)
        assert metric(labels, renamed) == pytest.approx(score, nan_ok=True)
        low, high = metric.range
        assert math.isnan(score) or low - 1e-12 <= score <= high + 1e-12


def test_perfect_clusters_score_the_ideal():
    clusters = np.unique(LABELS, return_inverse=True)[1]
    for metric in (ari, nmi, purity, entropy):
        assert metric(LABELS, clusters) == pytest.approx(metric.ideal)


def test_one_cluster_scores_chance_and_the_share_of_the_commonest_type():
    one = np.zeros(12, dtype=int)
    assert ari(LABELS, one) == 0
    assert nmi(LABELS, one) == 0
    assert purity(LABELS, one) == pytest.approx(5 / 12)
    shares = np.array([5, 4, 3]) / 12
    expected = -(shares * np.log2(shares)).sum() / np.log2(3)
    assert entropy(LABELS, one) == pytest.approx(expected)


def test_one_cell_type_has_no_entropy_and_nothing_to_disagree_on():
    one = np.zeros(4, dtype=int)
    assert math.isnan(entropy(one, np.array([0, 0, 1, 1])))
    assert ari(one, one) == 1
    assert nmi(one, one) == 1


def test_one_cell_is_pure():
    assert purity(np.array(["a"]), np.array([0])) == 1


def test_each_silhouette_has_its_scale():
    widths = {"clusters": -0.3, "labels": 0.5, "batch": -0.2}
    assert asw(widths) == -0.3
    assert celltype_asw(widths) == 0.75
    assert batch_asw(widths) == 0.8
    unknown = dict.fromkeys(widths, math.nan)
    assert all(math.isnan(metric(unknown)) for metric in (asw, celltype_asw, batch_asw))


@pytest.mark.parametrize("metric", [ari, nmi, purity, entropy, asw, celltype_asw, batch_asw])
def test_every_clustering_metric_says_what_a_reader_must_know(metric):
    assert metric.title
    assert metric.reference
    assert metric.summary.endswith(".")
    assert all(math.isfinite(bound) for bound in metric.range)
    assert metric.direction == ("min" if metric is entropy else "max")
