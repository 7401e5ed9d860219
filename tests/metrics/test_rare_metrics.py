import numpy as np
import pytest
from sklearn.metrics import f1_score, recall_score

from impbench.metrics.rare import (
    markers_imputed,
    markers_of_clusters,
    match_clusters,
    rare_f1,
    rare_markers,
    rare_recall,
)

# Ten cells of a, six of b, three of the rare type r.
LABELS = np.repeat(["a", "b", "r"], [10, 6, 3])
RARE = np.array(["r"])


def test_scores_are_sklearns_of_the_matched_cluster():
    clusters = np.r_[[0] * 9, [2], [1] * 6, [2, 2, 0]]
    assert match_clusters(LABELS, clusters) == {"a": 0, "b": 1, "r": 2}
    true, predicted = LABELS == "r", clusters == 2
    assert rare_f1(LABELS, clusters, RARE) == pytest.approx(f1_score(true, predicted))
    assert rare_recall(LABELS, clusters, RARE) == pytest.approx(recall_score(true, predicted))


def test_a_cluster_shared_with_a_common_type_is_not_the_rare_types():
    # The rare cells lie among those of b; the third cluster splits a, and holds no rare cell.
    clusters = np.r_[[0] * 6, [2] * 4, [1] * 6, [1] * 3]
    assert match_clusters(LABELS, clusters) == {"a": 0, "b": 1}
    assert rare_f1(LABELS, clusters, RARE) == 0
    assert rare_recall(LABELS, clusters, RARE) == 0


def test_fewer_clusters_than_types_leave_a_type_without():
    clusters = np.r_[[0] * 10, [1] * 9]
    assert match_clusters(LABELS, clusters) == {"a": 0, "b": 1}
    assert rare_f1(LABELS, clusters, RARE) == 0


def test_names_of_clusters_do_not_matter():
    clusters = np.r_[[0] * 9, [2], [1] * 6, [2, 2, 0]]
    renamed = np.array([7, 3, 5])[clusters]
    assert rare_f1(LABELS, renamed, RARE) == rare_f1(LABELS, clusters, RARE)


def test_overlap_of_markers_by_hand():
    true = np.array([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]])
    found = np.array([[3, 2, 1, 0], [4, 5, 0, 1], [-1, -1, -1, -1]])
    assert markers_of_clusters(found, true) == pytest.approx(0.5)
    assert markers_imputed(found, true) == pytest.approx(0.5)
    assert rare_markers(found, true, LABELS, RARE) == 0
    assert rare_markers(found, true, LABELS, np.array(["b"])) == 0.5
