"""A method is calibrated when the truth falls evenly over what it predicts, and only then."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from impbench.data.dataset import Dataset
from impbench.imputer import Imputed
from impbench.metrics.coverage import coverage_50, coverage_90, undercoverage
from impbench.protocols.calibration import ENTRIES, Calibration
from impbench.protocols.predictive import CountPrediction
from impbench.protocols.simulated_truth import SimulatedTruth
from impbench.protocols.thinning import Thinning


@pytest.fixture(scope="module")
def gamma_cells() -> tuple[Dataset, np.ndarray, np.ndarray]:
    """Cells whose rates are gamma with known mean and sd: the best any method could say of them."""
    rng = np.random.default_rng(0)
    mean = rng.gamma(2, 3, (300, 80))
    std = 0.6 * mean
    counts = rng.poisson(rng.gamma((mean / std) ** 2, std**2 / mean))
    names = [tuple(f"{kind}{i}" for i in range(n)) for kind, n in (("g", 80), ("c", 300))]
    return Dataset("gamma", counts, *names, counts.sum(axis=1).astype(float)), mean, std


def answer(protocol: Calibration, dataset: Dataset, imputed: Imputed) -> tuple[np.ndarray, ...]:
    evidence = protocol.evidence(protocol.pose(dataset, seed=1), imputed, seed=1)
    return evidence["pit"](), evidence["interval_width"]()


def posterior(dataset: Dataset, mean: np.ndarray, std: np.ndarray, train: float) -> Imputed:
    """What Bayes says of the rates at the depth shown, given the molecules shown."""
    seen = Thinning(train=train).pose(dataset, seed=1).observed.dense_counts
    shape, rate = (mean / std) ** 2, mean / std**2 / train
    return Imputed((shape + seen) / (rate + 1), "counts", std=np.sqrt(shape + seen) / (rate + 1))


@pytest.mark.parametrize("train", [0.9, 0.5])
def test_the_right_posterior_is_calibrated_on_molecules_set_aside(gamma_cells, train):
    dataset, mean, std = gamma_cells
    pit, _ = answer(Calibration(train=train), dataset, posterior(dataset, mean, std, train))
    assert coverage_50(pit) < 0.01
    assert coverage_90(pit) < 0.01
    assert stats.kstest(pit, "uniform").statistic < 0.01


@pytest.mark.slow
def test_overconfidence_and_doubt_are_told_apart(gamma_cells):
    dataset, mean, std = gamma_cells
    right = posterior(dataset, mean, std, 0.5)
    too_wide = dataclasses.replace(right, std=4 * right.std)
    # The molecules seen taken for the rate itself.
    seen = Thinning(train=0.5).pose(dataset, seed=1).observed.dense_counts.astype(float)
    certain = Imputed(seen, "counts", std=np.zeros_like(seen))
    asked = Calibration(train=0.5)
    certain_pit, certain_width = answer(asked, dataset, certain)
    wide_pit, wide_width = answer(asked, dataset, too_wide)
    assert undercoverage(certain_pit) > 0.1
    assert undercoverage(wide_pit) == 0
    assert coverage_50(wide_pit) > 0.05
    assert wide_width.mean() > answer(asked, dataset, right)[1].mean() > certain_width.mean() * 0.9


def test_log_scale_uncertainty_is_that_of_counts_to_first_order(gamma_cells):
    dataset, mean, std = gamma_cells
    asked = Calibration(train=0.5)
    problem = asked.pose(dataset, seed=1)
    counts = posterior(dataset, mean, std, 0.5)
    factors = problem.observed.size_factors[:, None]
    slope = np.log(2) * (counts.expression + factors)
    logs = Imputed(counts.lognorm(problem.observed), "lognorm", std=counts.std / slope)
    one, other = answer(asked, dataset, counts)[0], answer(asked, dataset, logs)[0]
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_negative_binomial_becomes_poisson_as_certainty_grows():
    def shares(std: float) -> np.ndarray:
        truth, mean = np.arange(8.0), np.full(8, 2.5)
        shape = np.full(8, (2.5 / std) ** 2 if std else np.inf)
        return CountPrediction(truth, mean, shape, np.full(8, 0.5)).pit()

    expected = stats.poisson.cdf(np.arange(8) - 1, 2.5) + stats.poisson.pmf(np.arange(8), 2.5) / 2
    np.testing.assert_allclose(shares(0), expected)
    np.testing.assert_allclose(shares(1e-3), expected, atol=1e-6)
    assert np.abs(shares(2) - expected).max() > 0.1


def test_expecting_nothing_is_right_about_zeros_only():
    truth, nothing = np.array([0.0, 2.0]), np.zeros(2)
    prediction = CountPrediction(truth, nothing, nothing, np.array([0.3, 0.3]))
    np.testing.assert_allclose(prediction.pit(), [0.3, 1])
    np.testing.assert_array_equal(prediction.width(0.9), [0, 0])


def test_width_of_counts_lies_between_their_quantiles():
    prediction = CountPrediction(np.zeros(1), np.array([20.0]), np.array([np.inf]), np.zeros(1))
    low, high = stats.poisson.ppf([0.05, 0.95], 20)
    assert prediction.width(0.9) == pytest.approx(np.log2(1 + high) - np.log2(1 + low))


@pytest.mark.parametrize("scale", ["counts", "lognorm"])
def test_gaussian_errors_of_the_stated_size_are_calibrated_on_simulated_truth(cells, scale):
    simulated = dataclasses.replace(cells, true_counts=cells.counts + 20)
    asked = Calibration(truth="simulated", library="true")
    problem = asked.pose(simulated, seed=1)
    rng = np.random.default_rng(1)
    truth = (
        problem.hidden.truth().expression
        if scale == "lognorm"
        else simulated.true_counts.astype(float)
    )
    std = rng.uniform(0.1, 0.3, truth.shape)
    imputed = Imputed(truth + std * rng.normal(size=truth.shape), scale, std=std)
    pit, width = answer(asked, simulated, imputed)
    assert coverage_90(pit) < 0.02
    assert undercoverage(pit) < 0.02
    if scale == "lognorm":
        assert width.mean() == pytest.approx(2 * 1.645 * 0.2, rel=0.05)
    else:
        assert 0 < width.mean() < 0.5
    half = dataclasses.replace(imputed, std=std / 2)
    assert undercoverage(answer(asked, simulated, half)[0]) > 0.15


def test_certain_values_are_right_or_wrong(cells):
    simulated = dataclasses.replace(cells, true_counts=cells.counts)
    asked = Calibration(truth="simulated")
    truth = asked.pose(simulated, seed=1).hidden.truth().expression
    shifted = truth.copy()
    shifted[:30] += 1
    pit, width = answer(asked, simulated, Imputed(shifted, "lognorm", std=np.zeros_like(truth)))
    assert sorted(set(pit.tolist())) == [0, 0.5]
    assert (pit == 0).mean() == pytest.approx(0.5, abs=0.01)
    assert (width == 0).all()


@pytest.mark.parametrize("truth", ["thinned", "simulated"])
def test_methods_without_a_standard_deviation_have_no_score(cells, truth):
    asked = Calibration(truth=truth)
    simulated = dataclasses.replace(cells, true_counts=cells.counts)
    problem = asked.pose(simulated, seed=1)
    pit, width = answer(asked, simulated, Imputed(problem.observed.lognorm, "lognorm"))
    assert math.isnan(coverage_90(pit))
    assert not len(width)
    assert "no standard deviation has no score" in problem.conventions[-1]


def test_what_is_shown_is_shared_with_the_question_it_resembles(cells):
    simulated = dataclasses.replace(cells, true_counts=cells.counts + 1)
    for asked, like in (
        (Calibration(train=0.9), Thinning()),
        (Calibration(truth="simulated"), SimulatedTruth()),
    ):
        one, other = (protocol.pose(simulated, 1).observed for protocol in (asked, like))
        np.testing.assert_array_equal(one.counts, other.counts)
        np.testing.assert_array_equal(one.size_factors, other.size_factors)


def test_genes_without_molecules_do_not_dilute_the_score(cells):
    counts = np.hstack([cells.counts, np.zeros((60, 400), dtype=int)])
    diluted = dataclasses.replace(
        cells, counts=counts, gene_names=tuple(f"g{j}" for j in range(440))
    )
    certain = [
        Imputed(np.zeros(d.counts.shape), "counts", std=np.zeros(d.counts.shape))
        for d in (cells, diluted)
    ]
    alone = answer(Calibration(), cells, certain[0])[0]
    among = answer(Calibration(), diluted, certain[1])[0]
    assert len(alone) == len(among) == ENTRIES
    assert coverage_90(among) == pytest.approx(coverage_90(alone), abs=0.01)
    assert coverage_90(among) > 0.5


def test_obstacles_name_the_other_way(cells):
    assert Calibration().obstacle(cells) is None
    assert "truth=thinned" in Calibration(truth="simulated").obstacle(cells)
    normalised = dataclasses.replace(cells, counts_are_raw=False)
    assert "whole counts" in Calibration().obstacle(normalised)
