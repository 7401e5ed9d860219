import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import mean_squared_error

from impbench.metrics.blocks import BLOCK
from impbench.metrics.thinned import openproblems_poisson, thinned_mse, thinned_poisson


@pytest.fixture(scope="module")
def sparse_cells():
    """Rates, training and test molecules of 600 Poisson cells of four types, 80 % zeros."""
    rng = np.random.default_rng(0)
    cell_type = rng.integers(0, 4, 600)
    gene = rng.lognormal(-2, 1.2, 500)
    fold = np.exp(rng.normal(0, 0.8, (4, 500)) * (rng.random((4, 500)) < 0.3))
    rates = gene * fold[cell_type] * rng.lognormal(0, 0.3, (600, 1))
    counts = rng.poisson(rates)
    train = rng.binomial(counts, 0.9)
    return rates, train, sp.csr_matrix(counts - train), cell_type


def _predictions(sparse_cells):
    rates, train, test, cell_type = sparse_cells
    depth = test.sum() / train.sum()
    types = np.stack([train[cell_type == k].mean(axis=0) for k in range(4)])[cell_type]
    return {
        "truth": rates * 0.1,
        "cell-type means": types * depth,
        "gene means": np.tile(train.mean(axis=0) * depth, (600, 1)),
        "no imputation": train * depth,
        "nothing": np.zeros(train.shape),
    }


def test_poisson_loss_puts_the_truth_first_and_nothing_last(sparse_cells):
    test = sparse_cells[2]
    losses = {
        name: thinned_poisson(values, test) for name, values in _predictions(sparse_cells).items()
    }
    assert list(losses.values()) == sorted(losses.values()), losses
    measured = [round(loss, 3) for loss in losses.values()]
    assert measured == [0.112, 0.114, 0.116, 0.268, 0.414], "docs/protocols.md shows these"


def test_the_other_two_scores_prefer_nothing_to_the_truth_as_the_docs_warn(sparse_cells):
    test, found = sparse_cells[2], _predictions(sparse_cells)
    mse = [thinned_mse(found[name], test) for name in ("truth", "no imputation", "nothing")]
    assert [round(value, 1) for value in mse] == [6.8, 4.3, 1.2]
    swapped = [openproblems_poisson(found[name], test) for name in ("truth", "nothing")]
    assert [round(value, 2) for value in swapped] == [0.40, 0.03]


def test_scores_follow_open_problems_definitions(sparse_cells):
    test = sparse_cells[2].toarray().astype(float)
    predicted = _predictions(sparse_cells)["gene means"]

    def logs(values):
        totals = values.sum(axis=1, keepdims=True)
        return np.log1p(1e4 * values / np.where(totals == 0, 1, totals))

    expected = mean_squared_error(logs(test), logs(predicted))
    assert thinned_mse(predicted, sp.csr_matrix(test)) == pytest.approx(expected)
    loss = np.mean(predicted - test * np.log(predicted + 1e-6))
    assert thinned_poisson(predicted, sp.csr_matrix(test)) == pytest.approx(loss)
    swapped = np.mean(test - predicted * np.log(test + 1e-6))
    assert openproblems_poisson(predicted, sp.csr_matrix(test)) == pytest.approx(swapped)


def test_scaling_a_cell_leaves_the_mse_alone(sparse_cells):
    test, predicted = sparse_cells[2], _predictions(sparse_cells)["cell-type means"]
    scales = np.linspace(0.1, 10, 600)[:, None]
    assert thinned_mse(predicted * scales, test) == pytest.approx(thinned_mse(predicted, test))


def test_the_very_molecules_have_no_squared_error_and_cells_without_any_stay_zero():
    test = sp.csr_matrix([[0, 0, 0], [1, 0, 3]])
    assert thinned_mse(test.toarray(), test) == 0


def test_blocks_of_cells_do_not_change_the_score():
    rng = np.random.default_rng(1)
    test = rng.poisson(0.1, (BLOCK // 400, 1000))
    predicted = rng.random(test.shape, dtype=np.float32)
    loss = np.mean(predicted - test * np.log(predicted.astype(float) + 1e-6))
    assert thinned_poisson(predicted, sp.csr_matrix(test)) == pytest.approx(loss, rel=1e-9)


def test_layout_in_memory_and_entries_in_parts_do_not_change_the_score():
    rng = np.random.default_rng(2)
    test = rng.poisson(0.3, (700, 900)).astype(float)
    predicted = rng.random(test.shape)
    parts = sp.csr_matrix(test / 2)
    halves = sp.csr_matrix(
        (np.repeat(parts.data, 2), np.repeat(parts.indices, 2), 2 * parts.indptr), parts.shape
    )
    for score in (thinned_mse, thinned_poisson, openproblems_poisson):
        expected = score(predicted, sp.csr_matrix(test))
        assert score(np.asfortranarray(predicted), halves) == pytest.approx(expected, rel=1e-12)
        assert halves.nnz == 2 * parts.nnz, "what is asked about stays as it is"
