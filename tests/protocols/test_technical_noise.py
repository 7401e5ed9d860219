"""Cells and pools simulated by us, so that the biology behind each count is known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from impbench.data.dataset import Dataset
from impbench.imputer import Imputed
from impbench.metrics.technical import (
    technical_error,
    technical_groups_error,
    technical_noise_left,
    technical_signal_error,
)
from impbench.protocols.technical_noise import TechnicalNoise, matching_depth
from impbench.registry import registry

N, GENES = 150, 60


def sequenced() -> tuple[Dataset, np.ndarray]:
    """Two media of 150 cells and 150 controls each, and the expression behind every library."""
    rng = np.random.default_rng(2)
    blocks, media, pooled = [], [], []
    level = rng.gamma(2, 12, GENES) + 5
    for medium in ("2i", "serum"):
        mean = level * np.exp(rng.normal(0, 0.4, GENES))
        programme = rng.normal(0, 0.35, (N, 3)) @ rng.normal(0, 1, (3, GENES))
        cells = mean * np.exp(programme)
        cells *= mean.sum() / cells.sum(axis=1, keepdims=True)
        blocks += [cells, np.tile(cells.mean(axis=0), (N, 1))]
        media += [medium] * 2 * N
        pooled += [False] * N + [True] * N
    expected = np.concatenate(blocks)
    # Controls are deeper, as in the real experiment.
    depth = rng.uniform(0.6, 1.4, (4 * N, 1)) * np.where(pooled, 1.8, 1.0)[:, None]
    counts = rng.poisson(expected * depth)
    names = tuple(f"c{i}" for i in range(4 * N))
    dataset = Dataset(
        name="sequenced",
        counts=counts,
        gene_names=tuple(f"g{j}" for j in range(GENES)),
        cell_names=names,
        library_size=counts.sum(axis=1).astype(float),
        labels=np.array(media),
        cells=pd.DataFrame({"technical": pooled}, index=names),
    )
    return dataset, expected


@pytest.fixture(scope="module")
def posed():
    dataset, expected = sequenced()
    problem = TechnicalNoise().pose(dataset, 1)
    seen = problem.observed
    level = seen.counts.sum() / seen.size_factors.sum() / (expected.sum() / len(expected))
    return dataset, problem, np.log2(1 + expected * level)


def scores(problem, values) -> dict[str, float]:
    found = TechnicalNoise().evidence(problem, Imputed(values.astype(np.float32), "lognorm"), 1)
    moments, control = found["noise_moments"](), problem.hidden.extra["noise_control"]
    return {
        "error": technical_error(moments, control),
        "noise": technical_noise_left(moments, control),
        "signal": technical_signal_error(moments, control),
        "groups": technical_groups_error(found["group_means"]()),
    }


def test_doing_nothing_keeps_everything_and_says_what_the_report_says(posed):
    _, problem, _ = posed
    found = scores(problem, problem.observed.lognorm)
    assert (found["noise"], found["signal"]) == pytest.approx((1, 0), abs=1e-9)
    assert found["groups"] == pytest.approx(0, abs=1e-6)
    said = problem.conventions[-1]
    assert f"{found['error']:.2g} of cells as they are" in said


def test_the_expression_behind_the_counts_scores_next_to_0(posed):
    _, problem, truth = posed
    found = scores(problem, truth)
    assert abs(found["error"]) < 0.06
    assert found["noise"] == pytest.approx(0, abs=1e-9)
    # The logarithm of a count has slightly less contrast than that of its mean.
    assert found["signal"] < 0.1
    assert found["groups"] < 0.05


def test_all_alike_removes_all_noise_and_all_signal(posed):
    _, problem, truth = posed
    found = scores(problem, np.tile(truth.mean(axis=0), (len(truth), 1)))
    assert found == pytest.approx({"error": 1, "noise": 0, "signal": 1, "groups": 1}, abs=1e-6)


@pytest.mark.parametrize("share", [0.25, 0.6])
def test_the_error_is_that_against_the_truth_although_no_truth_is_used(posed, share):
    """Of a method that averages each library with others like it, noise of its own included."""
    dataset, problem, truth = posed
    seen = problem.observed.lognorm.astype(np.float64)
    smoothed = share * seen + (1 - share) * np.stack(
        [seen[np.square(row - truth).sum(axis=1).argsort()[1:6]].mean(axis=0) for row in truth]
    )
    cells = ~dataset.cells["technical"].to_numpy()
    squares = signal = 0.0
    for medium in ("2i", "serum"):
        here = cells & (dataset.labels == medium)
        b, y = (values[here] - values[here].mean(axis=0) for values in (truth, smoothed))
        squares, signal = squares + np.square(y - b).sum(), signal + np.square(b).sum()
    assert scores(problem, smoothed)["error"] == pytest.approx(squares / signal, abs=0.06)


def test_controls_are_thinned_to_the_depth_of_cells_and_cells_are_left_alone(posed):
    dataset, problem, _ = posed
    control = dataset.cells["technical"].to_numpy()
    shown = problem.observed.counts
    np.testing.assert_array_equal(shown[~control], dataset.counts[~control])
    assert (shown[control] <= dataset.counts[control]).all()
    depths = [
        np.quantile(shown[which].sum(axis=1), [0.1, 0.5, 0.9]) for which in (control, ~control)
    ]
    np.testing.assert_allclose(*depths, rtol=0.05)
    as_counted = TechnicalNoise(depth="as-counted").pose(dataset, 1)
    np.testing.assert_array_equal(as_counted.observed.counts, dataset.counts)
    # Deeper controls look less noisy, so more of the cells' variance passes for biology.
    found = [scores(one, one.observed.lognorm)["error"] for one in (problem, as_counted)]
    assert found[1] < found[0]


def test_shallow_controls_keep_every_molecule():
    share = matching_depth(np.array([10.0, 4, 20, 40, 30]), np.array([0, 1, 0, 1, 0], dtype=bool))
    np.testing.assert_allclose(share, [1, 1, 1, np.quantile([10, 20, 30], 0.75) / 40, 1])


def test_nobody_sees_which_are_controls(posed):
    _, problem, _ = posed
    assert problem.hidden.labels is None
    assert problem.observed.batch is None
    assert problem.observed.cell_names[0] == "cell_1"


def test_labels_without_controls_are_not_scored_and_one_label_has_no_differences():
    dataset, _ = sequenced()
    control = dataset.cells["technical"].to_numpy()
    keep = np.flatnonzero(~control | (dataset.labels == "2i"))
    problem = TechnicalNoise().pose(dataset.of_cells(keep), 1)
    assert "technical-groups-error" not in problem.metrics
    found = TechnicalNoise().evidence(problem, Imputed(problem.observed.lognorm, "lognorm"), 1)
    unscored = dataset.labels[keep] == "serum"
    assert not found["noise_moments"]()[unscored].any()
    assert found["noise_moments"]()[~unscored].all()
    unlabelled = dataclasses.replace(dataset, labels=None)
    assert TechnicalNoise().pose(unlabelled, 1).metrics == problem.metrics


def test_cells_that_vary_no_more_than_controls_have_no_signal_to_keep():
    dataset, _ = sequenced()
    turned = dataclasses.replace(dataset, cells=~dataset.cells)
    problem = TechnicalNoise().pose(turned, 1)
    assert problem.metrics[0] == "technical-noise-left"
    assert "all is noise" in problem.left_out["technical-error"]


def test_data_without_controls_are_turned_away_with_a_reason():
    dataset, _ = sequenced()
    protocol = TechnicalNoise()
    assert protocol.obstacle(dataset) is None
    plain = registry().dataset("sim_equal[n_cells=40,n_genes=60]").load()
    assert "obs['technical']" in protocol.obstacle(plain)
    apart = dataclasses.replace(
        dataset, labels=np.where(dataset.cells["technical"], "pool", dataset.labels)
    )
    assert "must bear the label of the cells" in protocol.obstacle(apart)
    estimated = dataclasses.replace(dataset, counts_are_raw=False)
    assert "no whole counts" in protocol.obstacle(estimated)
    assert TechnicalNoise(depth="as-counted").obstacle(estimated) is None
