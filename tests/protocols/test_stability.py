"""Halves are random, whole and shown as they are among all; answers find their cells again."""

from __future__ import annotations

import dataclasses

import numpy as np

from impbench.imputer import Imputed
from impbench.metrics.stability import half_pearson, half_rmsd, seed_pearson, seed_rmsd
from impbench.protocols.stability import SEED_SHIFT, Stability


def test_halves_are_disjoint_whole_and_of_one_size(cells):
    problem = Stability().pose(cells, seed=1)
    parts = [problem.again[name].observed for name in ("half-0", "half-1")]
    assert [part.n_cells for part in parts] == [30, 30]
    names = [name for part in parts for name in part.cell_names]
    assert sorted(names) == sorted(problem.observed.cell_names)


def test_a_cell_is_shown_in_its_half_as_among_all(cells):
    problem = Stability().pose(cells, seed=1)
    for number in (0, 1):
        part = problem.again[f"half-{number}"].observed
        rows = np.flatnonzero(problem.hidden.extra["half"] == number)
        np.testing.assert_array_equal(part.lognorm, problem.observed.lognorm[rows])
        np.testing.assert_array_equal(part.batch, problem.observed.batch[rows])
        assert part.n_groups == 3
        assert part.gene_names == problem.observed.gene_names


def test_other_seed_sees_the_same_cells_with_a_seed_far_away(cells):
    again = Stability().pose(cells, seed=1).again["other-seed"]
    assert again.seed_shift == SEED_SHIFT > 100
    np.testing.assert_array_equal(again.observed.dense_counts, cells.counts)


def test_a_method_that_looks_at_one_cell_at_a_time_is_perfectly_stable(cells):
    problem = Stability().pose(cells, seed=1)
    answers = {
        name: Imputed(again.observed.lognorm**2, "lognorm") for name, again in problem.again.items()
    }
    problem = dataclasses.replace(problem, answers=answers)
    whole = Imputed(problem.observed.lognorm**2, "lognorm")
    evidence = Stability().evidence(problem, whole, seed=1)
    expression, apart = whole.lognorm(problem.observed), evidence["apart"]()
    assert half_rmsd(expression, apart) == 0
    assert half_pearson(expression, apart) == 1
    assert seed_rmsd(expression, evidence["other_seed"]()) == 0
    assert seed_pearson(expression, evidence["other_seed"]()) == 1


def test_too_few_cells_for_the_groups_are_an_obstacle(cells):
    assert Stability().obstacle(cells) is None
    few = dataclasses.replace(
        cells,
        counts=cells.counts[:7],
        cell_names=cells.cell_names[:7],
        library_size=cells.library_size[:7],
        labels=np.array(["a", "b", "c", "a", "b", "c", "a"]),
        batch=None,
    )
    assert "7 cells; 8 are needed" in Stability().obstacle(few)


def test_halves_follow_both_seeds(cells):
    def half(protocol: Stability, seed: int) -> list[int]:
        return protocol.pose(cells, seed).hidden.extra["half"].tolist()

    assert half(Stability(), 1) == half(Stability(), 1)
    assert half(Stability(), 1) != half(Stability(), 2)
    assert half(Stability(), 1) != half(Stability(split_seed=2), 1)
