"""k-means as R runs it; the expected clusters were printed by R 4.2.2."""

import numpy as np
import pytest
from impbench_plugins.sdimpute.clusters import ROUNDS, best_of
from impbench_plugins.shared.r_kmeans import hartigan_wong

CELL = np.arange(60)
POINTS = np.stack([np.sin(CELL * CELL), np.cos(3 * CELL) * 2, (CELL * 7) % 13 / 5], axis=1)
PRINTED = {
    (2, 10): ("010101010101101010101010101010101101010101010101010101011010", 84.8252306715414),
    (4, 10): ("013101310232232310101010101013232222013131310131313102022223", 58.363093806319),
    (7, 10): ("313131340422232343404010406065652224045656560656515102222225", 34.2754201068903),
    (7, 1): ("313131340422231343404010406065652224245656560656515102222225", 34.6854005642691),
}
"""By k and the most rounds, starting from cells 0, 5, 10 and so on."""


@pytest.mark.parametrize(("k", "rounds"), PRINTED)
def test_from_the_same_centres_it_ends_where_r_ends(k, rounds):
    found = hartigan_wong(POINTS, 5 * np.arange(k), rounds)
    labels, sum_of_squares = PRINTED[k, rounds]
    assert "".join(map(str, found.labels)) == labels
    assert found.sum_of_squares == pytest.approx(sum_of_squares, rel=1e-13)


def test_one_cluster_holds_all():
    found = hartigan_wong(POINTS, np.array([3]), ROUNDS)
    assert not found.labels.any()
    assert found.sum_of_squares == pytest.approx(60 * POINTS.var(axis=0).sum())


def test_an_empty_cluster_is_drawn_again_and_the_best_run_kept():
    twice = np.concatenate([POINTS[:1], POINTS])
    assert hartigan_wong(twice, np.array([0, 1, 9]), ROUNDS) is None
    drawn = iter([[0, 1, 9], [0, 7, 30], [4, 5, 6], [1, 0, 30]])
    best = best_of(twice, 3, 2, lambda: np.array(next(drawn)))
    runs = [hartigan_wong(twice, np.array(starts), ROUNDS) for starts in ([0, 7, 30], [4, 5, 6])]
    assert best.sum_of_squares == min(run.sum_of_squares for run in runs)
    assert best_of(twice, 3, 1, lambda: np.array([0, 1, 9]), most_failures=5) is None
