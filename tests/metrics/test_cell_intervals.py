"""Intervals over cells: their width is that of theory, and they cost next to nothing."""

import math

import numpy as np
import pytest
import scipy.sparse as sp

from impbench.metrics.cells import MIN_CELLS, PIECES, intervals, of_cells
from impbench.metrics.error import squared_errors
from impbench.metrics.thinned import thinned_losses
from impbench.registry import registry

METRICS = [item for item in registry().metrics.values() if item.per_cell is not None]


def evidence(n_cells=40, n_genes=30, seed=0):
    rng = np.random.default_rng(seed)
    truth = np.log2(1 + rng.poisson(1.0, size=(n_cells, n_genes))).astype(np.float32)
    masked = sp.csr_matrix(rng.poisson(0.3, size=(n_cells, n_genes)).astype(np.float64))
    masked.eliminate_zeros()
    observed = truth * (rng.random(truth.shape) > 0.3)
    imputed = truth + rng.normal(size=truth.shape).astype(np.float32)
    return {
        "truth": truth,
        "observed": observed,
        "imputed": imputed,
        "squared_errors": squared_errors(imputed, truth, observed),
        "masked_counts": masked,
        "masked_truth": np.log2(1 + masked.data),
        "masked_imputed": np.log2(1 + rng.gamma(2.0, size=masked.nnz)),
        "test_counts": masked,
        "predicted_test": (predicted := rng.gamma(1.0, 0.3, size=truth.shape)),
        "thinned_losses": thinned_losses(predicted, masked),
        "mixture_true": truth,
        "mixture_found": truth + rng.normal(size=truth.shape).astype(np.float32),
        **technical(n_cells, n_genes, rng),
    }


def technical(n_cells, n_genes, rng):
    """Noise and, in cells, biology; imputed is a half of both."""
    control = np.arange(n_cells) % 3 == 0
    noise = rng.normal(size=(n_cells, n_genes))
    seen = noise + np.where(control[:, None], 0, 2 * rng.normal(size=noise.shape))
    found = seen / 2 + 0.1 * rng.normal(size=noise.shape)
    moments = np.stack([(seen**2).sum(1), (seen * found).sum(1), (found**2).sum(1)], axis=1)
    moments /= np.where(control, control.sum(), (~control).sum())[:, None]
    return {"noise_control": control, "noise_moments": moments}


def test_error_scores_of_simulated_masked_and_thinned_data_have_intervals():
    assert {item.name for item in METRICS} >= {
        *("mse", "biozero-mse", "dropout-mse", "nonzero-mse"),
        *("masked-rmse", "masked-mae", "masked-nmse", "masked-mse"),
        *("thinned-mse", "thinned-poisson", "openproblems-poisson"),
    }


@pytest.mark.parametrize("item", METRICS, ids=lambda item: item.name)
def test_sums_over_cells_give_the_score_itself(item):
    offers = evidence()
    sums = item.per_cell(**{need: offers[need] for need in item.cell_needs})
    score = item(**{need: offers[need] for need in item.needs})
    assert of_cells(sums, item.root) == pytest.approx(score, rel=1e-12)
    # Noise and signal together are drawn by the cell, each with its share of the controls.
    control = offers["noise_control"]
    n_drawn = (~control).sum() if item.name == "technical-error" else len(control)
    assert len(sums[0]) == len(sums[1]) == n_drawn
    (bounds,) = intervals([sums], [item.root])
    assert bounds[0] < score < bounds[1]


def test_interval_of_a_mean_is_that_of_the_central_limit_theorem():
    values = np.random.default_rng(1).gamma(2.0, size=800)
    (bounds,) = intervals([(values, np.ones(800))], [False])
    half = 1.96 * values.std(ddof=1) / math.sqrt(800)
    assert bounds == pytest.approx((values.mean() - half, values.mean() + half), abs=0.15 * half)


def test_more_cells_than_pieces_keep_the_width():
    values = np.random.default_rng(2).gamma(2.0, size=20 * PIECES + 7)
    (bounds,) = intervals([(values, np.ones(len(values)))], [False])
    half = 1.96 * values.std(ddof=1) / math.sqrt(len(values))
    assert bounds == pytest.approx((values.mean() - half, values.mean() + half), abs=0.2 * half)


def test_interval_holds_the_true_mean_about_as_often_as_it_promises():
    rng, held = np.random.default_rng(3), 0
    for _ in range(400):
        values = rng.gamma(2.0, size=100)
        (bounds,) = intervals([(values, np.ones(100))], [False])
        held += bounds[0] <= 2.0 <= bounds[1]
    # Percentile intervals of skewed data fall a little short; 400 trials have an sd of 1.1 %.
    assert 0.90 <= held / 400 <= 0.97


def test_same_sums_give_the_same_interval_and_few_cells_none():
    values = np.random.default_rng(4).random(50)
    sums = (values, np.ones(50))
    first, second, root = intervals([sums, sums, sums], [False, False, True])
    assert first == second
    assert root == pytest.approx((math.sqrt(first[0]), math.sqrt(first[1])), rel=1e-3)
    few = (values[: MIN_CELLS - 1], np.ones(MIN_CELLS - 1))
    assert intervals([few], [False]) == [None]


def test_score_without_entries_has_neither_value_nor_interval():
    sums = (np.zeros(20), np.zeros(20))
    assert math.isnan(of_cells(sums))
    assert intervals([sums], [False]) == [None]
