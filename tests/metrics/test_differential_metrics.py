import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from impbench.metrics.differential import de_auc, de_overlap, lfc_mse, lfc_ned, lfc_pearson

DIFFERS = np.array([[True, True, True, False], [False, True, True, False]])
TRUE = np.array([[1.0, -2, 3, 0], [0, 4, -4, 0]])
FOUND = np.array([[2.0, -2, 1, 9], [7, 2, -1, 0]])

changes = arrays(np.float64, (2, 4), elements=st.integers(-8, 8).map(float))


def test_ranking_by_hand():
    # First type: of 3 pairs (differs, not) two are in order and one is tied.
    scores = np.array([[3.0, 1, 2, 1], [0, 5, 6, 0]])
    assert de_auc(scores, DIFFERS) == pytest.approx((2.5 / 3 + 1) / 2)


def test_types_in_which_nothing_or_everything_differs_have_no_ranking():
    scores = np.array([[3.0, 1, 2, 1], [0, 5, 6, 0]])
    nothing = np.array([[False] * 4, DIFFERS[1]])
    assert de_auc(scores, nothing) == 1
    assert math.isnan(de_auc(scores[:1], np.ones((1, 4), dtype=bool)))


def test_changes_by_hand():
    assert lfc_mse(FOUND, TRUE, DIFFERS) == pytest.approx(((1 + 0 + 4) / 3 + (4 + 9) / 2) / 2)
    first = np.corrcoef([2, -2, 1], [1, -2, 3])[0, 1]
    assert lfc_pearson(FOUND, TRUE, DIFFERS) == pytest.approx((first + 1) / 2)
    ned = 0.5 * np.var([1, 0, -2]) / (np.var([2, -2, 1]) + np.var([1, -2, 3]))
    second = 0.5 * np.var([-2, 3]) / (np.var([2, -1]) + np.var([4, -4]))
    assert lfc_ned(FOUND, TRUE, DIFFERS) == pytest.approx((ned + second) / 2)


@given(changes, changes)
def test_distance_lies_between_0_and_1_and_knows_equal_and_opposite(found, true):
    distance = lfc_ned(found, true, DIFFERS)
    assert math.isnan(distance) or -1e-12 <= distance <= 1 + 1e-12
    if np.ptp(true[0, :3]) > 0 and np.ptp(true[1, 1:3]) > 0:
        assert lfc_ned(true, true, DIFFERS) == 0
        assert lfc_ned(-true, true, DIFFERS) == pytest.approx(1)


def test_overlap_counts_genes_changed_the_same_way():
    true = np.array([[1, -1, 1, 0], [0, 0, 1, -1]], dtype=np.int8)
    found = np.array([[1, 1, 0, -1], [1, 1, 1, -1]], dtype=np.int8)
    assert de_overlap(found, true) == pytest.approx((1 / 3 + 1) / 2)


def test_scores_over_no_gene_are_nan():
    none = np.zeros_like(DIFFERS)
    assert math.isnan(lfc_mse(FOUND, TRUE, none))
    assert math.isnan(lfc_pearson(FOUND, TRUE, none))
    assert math.isnan(lfc_ned(FOUND, TRUE, none))
    assert math.isnan(de_overlap(none.astype(np.int8), none.astype(np.int8)))
