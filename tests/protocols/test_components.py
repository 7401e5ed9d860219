import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from impbench.protocols import components
from impbench.protocols.components import first_components, principal_components, tsne


def _cells(n_cells, n_genes, seed=0):
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n_cells, 4)) @ rng.normal(size=(4, n_genes)) * 3
    return (factors + rng.normal(size=(n_cells, n_genes))).astype(np.float32)


@pytest.mark.parametrize("shape", [(90, 40), (40, 90), (60, 60), (200, 120)])
def test_components_are_those_of_sklearns_full_decomposition(shape):
    cells = _cells(*shape)
    n = max(2, min(50, *shape))
    expected = PCA(n, svd_solver="full").fit_transform(cells.astype(np.float64))
    got = principal_components(cells)
    assert got.shape == (shape[0], n)
    np.testing.assert_allclose(np.abs(got), np.abs(expected), atol=1e-6)


def test_sign_is_fixed_by_the_largest_entry_even_when_the_matrix_is_negated():
    cells = _cells(30, 20)
    got = principal_components(cells)
    extremes = got[np.abs(got).argmax(axis=0), np.arange(got.shape[1])]
    assert (extremes >= 0).all()
    np.testing.assert_allclose(got, principal_components(-cells), atol=1e-9)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 100))
def test_permuting_cells_permutes_components_and_permuting_genes_changes_nothing(seed):
    cells = _cells(25, 12, seed)
    rng = np.random.default_rng(seed)
    order, genes = rng.permutation(25), rng.permutation(12)
    got = principal_components(cells, 4)
    np.testing.assert_allclose(principal_components(cells[order], 4), got[order], atol=1e-6)
    np.testing.assert_allclose(principal_components(cells[:, genes], 4), got, atol=1e-6)


@pytest.mark.parametrize("shape", [(80, 30), (30, 80)])
def test_components_beyond_the_rank_are_exactly_zero(shape):
    rng = np.random.default_rng(1)
    cells = rng.normal(size=(shape[0], 3)) @ rng.normal(size=(3, shape[1]))
    got = principal_components(cells)
    assert (got[:, :3].std(axis=0) > 0.1).all()
    assert (got[:, 3:] == 0).all()


def test_identical_cells_have_zero_components():
    assert (principal_components(np.full((10, 6), 0.1, dtype=np.float32)) == 0).all()


def test_fewer_cells_than_fifty_give_no_more_components_than_cells():
    assert principal_components(_cells(7, 30)).shape == (7, 7)
    assert principal_components(_cells(30, 3)).shape == (30, 3)
    assert principal_components(_cells(2, 30)).shape == (2, 2)


def test_the_number_of_threads_does_not_change_a_bit():
    cells = _cells(300, 200)
    results = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            results.append(principal_components(cells))
    np.testing.assert_array_equal(results[0], results[1])


@pytest.mark.parametrize("shape", [(900, 60), (60, 900), (400, 400), (3, 50), (50, 1), (1, 5)])
def test_first_components_are_the_first_of_all(shape):
    cells = _cells(*shape) + 5
    got = first_components(cells, 2)
    expected = principal_components(cells, 2)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("rank", [300, 20])
def test_components_of_many_cells_and_genes_are_those_of_the_exact_decomposition(monkeypatch, rank):
    cells = _cells(700, 600)[:, :rank] @ _cells(rank, 600)
    exact = principal_components(cells)
    monkeypatch.setattr(components, "LARGE", 500)
    near = principal_components(cells)
    assert not np.array_equal(near, exact)
    # Components whose variances are close may turn into each other; distances stay.
    np.testing.assert_allclose(near @ near.T, exact @ exact.T, atol=1e-4 * (exact**2).sum(1).max())
    assert ((near == 0).all(axis=0) == (exact == 0).all(axis=0)).all()


def test_first_components_of_identical_cells_are_zero():
    assert (first_components(np.full((50, 40), 0.1, dtype=np.float32), 2) == 0).all()
    assert (first_components(np.zeros((50, 40), dtype=np.float32), 2) == 0).all()
    line = np.linspace(0, 1, 50)[:, None] * np.ones(40)
    got = first_components(line, 2)
    assert got[:, 0].std() > 0.1
    assert (got[:, 1] == 0).all()


def test_first_components_do_not_depend_on_the_number_of_threads():
    cells = _cells(300, 200)
    results = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            results.append(first_components(cells, 2))
    np.testing.assert_array_equal(results[0], results[1])


def test_tsne_follows_its_seed_and_takes_few_cells():
    components = principal_components(_cells(40, 20))
    one = tsne(components, seed=1)
    assert one.shape == (40, 2)
    assert one.dtype == np.float64
    np.testing.assert_array_equal(one, tsne(components, seed=1))
    assert tsne(components[:5], seed=1).shape == (5, 2)
