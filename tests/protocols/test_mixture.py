"""Cells mixed by us in known proportions, so that the right profile, slope and error are known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from impbench.data.dataset import Dataset
from impbench.imputer import Imputed
from impbench.metrics.mixture import mixture_error, mixture_slope_error, slopes
from impbench.protocols.mixture import Mixture
from impbench.protocols.pure_profiles import contents, pool, pure_cells, variance_ratio, weights
from impbench.registry import registry

GENES = 120
CONTENT = np.array([1.0, 2.0, 0.5])
"""RNA that a part of each component brings."""


def mixed(depth: float = 20_000) -> tuple[Dataset, np.ndarray]:
    """60 pure cells of three lines and 90 mixtures; and their expected shares of molecules."""
    rng = np.random.default_rng(5)
    profiles = rng.gamma(0.7, 1, (3, GENES)) + 0.05
    profiles /= profiles.sum(axis=1, keepdims=True)
    kinds = np.array([[1, 1, 1], [4, 1, 1], [1, 4, 1], [1, 1, 4], [2, 1, 0]]) / [
        [3],
        [6],
        [6],
        [6],
        [3],
    ]
    share = np.concatenate([np.repeat(np.eye(3), 20, axis=0), np.repeat(kinds, 18, axis=0)])
    expected = weights(share, CONTENT) @ profiles
    library = depth * rng.uniform(0.5, 2, (len(share), 1))
    counts = rng.poisson(expected * library)
    names = tuple(f"c{i}" for i in range(len(share)))
    dataset = Dataset(
        name="mixed",
        counts=counts,
        gene_names=tuple(f"g{j}" for j in range(GENES)),
        cell_names=names,
        library_size=counts.sum(axis=1).astype(float),
        labels=np.array(["/".join(f"{part:.2f}" for part in row) for row in share]),
        cells=pd.DataFrame(share, index=names, columns=[f"proportion_{c}" for c in "ABC"]),
    )
    return dataset, expected


def scores(problem, imputed) -> tuple[float, float]:
    found = Mixture().evidence(problem, imputed, 1)
    pair = found["mixture_found"](), found["mixture_true"]()
    telling = problem.hidden.extra["telling_genes"]
    return mixture_error(*pair), mixture_slope_error(*pair, telling)


@pytest.fixture(scope="module")
def posed():
    dataset, expected = mixed()
    problem = Mixture().pose(dataset, 1)
    kept = [int(name[1:]) for name in mixed_names(dataset, problem)]
    unit = np.median(dataset.library_size[kept])
    return dataset, problem, np.log2(1 + expected[kept] * unit).astype(np.float32)


def mixed_names(dataset, problem):
    """Names of the shown cells, which their counts give away to us alone."""
    by_counts = {
        row.tobytes(): name for row, name in zip(dataset.counts, dataset.cell_names, strict=True)
    }
    return [by_counts[row.tobytes()] for row in problem.observed.counts]


def test_half_of_the_pure_cells_of_every_line_are_shown_to_nobody(posed):
    dataset, problem, _ = posed
    names = mixed_names(dataset, problem)
    shown = dataset.cells.loc[names]
    assert [int((shown[column] == 1).sum()) for column in shown] == [10, 10, 10]
    assert len(names) == 120
    assert not set(names) & set(problem.observed.cell_names), "names would tell which are pure"
    assert problem.hidden.labels is None
    again, other = (Mixture(split_seed=seed).pose(dataset, 1) for seed in (1, 2))
    assert mixed_names(dataset, again) == names != mixed_names(dataset, other)


def test_content_is_found_from_the_mixtures_alone():
    dataset, _ = mixed()
    share = dataset.cells.to_numpy()
    found = contents(dataset, share, pool(dataset, pure_cells(share)))
    np.testing.assert_allclose(found, CONTENT / CONTENT.mean(), rtol=0.03)


def test_expectation_scores_next_to_nothing_and_slope_1(posed):
    _, problem, expected = posed
    error, slope_error = scores(problem, Imputed(expected, "lognorm"))
    assert error < 0.01
    assert slope_error < 0.03
    oracle = scores(problem, problem.hidden.truth())
    assert oracle == pytest.approx((0, 0), abs=1e-9)


def test_what_is_said_of_chance_in_the_profiles_is_what_the_expectation_scores():
    # So shallow that chance in the profiles shows.
    dataset, expected = mixed(depth=600)
    problem = Mixture(level=2).pose(dataset, 1)
    kept = [int(name[1:]) for name in mixed_names(dataset, problem)]
    unit = np.median(dataset.library_size[kept])
    error, _ = scores(problem, Imputed(np.log2(1 + expected[kept] * unit), "lognorm"))
    said = float(problem.conventions[-1].rsplit(" ", 1)[1])
    assert error > 0.01
    assert said == pytest.approx(error, rel=0.4)


def test_all_cells_alike_score_1_and_half_of_every_contrast_a_slope_of_half(posed):
    _, problem, _ = posed
    truth = problem.hidden.truth().expression
    mean = truth.mean(axis=0)
    alike = Imputed(np.tile(mean + 1, (len(truth), 1)), "lognorm")
    assert scores(problem, alike) == pytest.approx((1, 1), abs=1e-5)
    half = Imputed(mean + (truth - mean) / 2, "lognorm")
    assert scores(problem, half) == pytest.approx((0.25, 0.5), abs=1e-5)
    double = Imputed(np.maximum(mean + (truth - mean) * 2, -9), "lognorm")
    assert scores(problem, double) == pytest.approx((1, 1), abs=1e-5)


def test_doing_nothing_keeps_the_slope_and_pays_for_the_noise(posed):
    _, problem, expected = posed
    error, slope_error = scores(problem, Imputed(problem.observed.lognorm, "lognorm"))
    assert slope_error < 0.1
    assert error > 5 * scores(problem, Imputed(expected, "lognorm"))[0]
    extra = problem.hidden.extra
    telling = extra["expressed_genes"][extra["telling_genes"]]
    found = slopes(problem.observed.lognorm, np.asarray(problem.hidden.truth().values))
    assert np.mean(found[telling]) == pytest.approx(1, abs=0.05)


def test_equal_weights_are_wrong_where_lines_differ_in_content(posed):
    dataset, problem, expected = posed
    kept = [int(name[1:]) for name in mixed_names(dataset, problem)]
    share = dataset.cells.to_numpy()
    profiles = pool(dataset, pure_cells(share))
    plain = share[kept] @ profiles * np.median(dataset.library_size[kept])
    found, _ = scores(problem, Imputed(np.log2(1 + plain), "lognorm"))
    assert found > 2 * scores(problem, Imputed(expected, "lognorm"))[0]


def test_genes_that_do_not_differ_have_no_slope():
    dataset, _ = mixed()
    groups = pure_cells(dataset.cells.to_numpy())
    rng = np.random.default_rng(0)
    noise = dataclasses.replace(dataset, counts=rng.poisson(40, dataset.counts.shape))
    assert np.median(variance_ratio(noise, groups)) < 2
    assert np.median(variance_ratio(dataset, groups)) > 20
    silent = dataclasses.replace(dataset, counts=np.zeros_like(dataset.counts))
    np.testing.assert_array_equal(variance_ratio(silent, groups), 0)
    problem = Mixture(telling=1e6).pose(dataset, 1)
    assert problem.metrics == ("mixture-error", "mixture-mse")
    assert "lower telling" in problem.left_out["mixture-slope-error"]


def test_data_without_mixtures_or_pure_cells_are_turned_away_with_a_reason():
    dataset, _ = mixed()
    protocol = Mixture()
    assert protocol.obstacle(dataset) is None
    plain = registry().dataset("sim_equal[n_cells=40,n_genes=60]").load()
    assert "obsm['mixture']" in protocol.obstacle(plain)
    few = dataset.of_cells(np.r_[0:3, 20:150])
    assert "3 cells of 'A' alone; 4 pure cells" in protocol.obstacle(few)
    assert "are all pure" in protocol.obstacle(dataset.of_cells(np.arange(60)))
    assert "lower level" in Mixture(level=1e6).obstacle(dataset)


def test_four_pure_cells_of_a_line_are_enough():
    dataset, _ = mixed()
    few = dataset.of_cells(np.r_[0:4, 20:24, 40:44, 60:150])
    assert Mixture().obstacle(few) is None
    assert Mixture(held=0.9).pose(few, 1).observed.n_cells == 90 + 6
