"""kNN-smoothing against a plain version of the published steps, its laws, and its edges."""

import tracemalloc
from pathlib import Path

import anndata
import numpy as np
import pytest
import scipy.sparse as sp
from impbench_plugins.knn_smoothing import KnnSmoothing
from impbench_plugins.knn_smoothing.smoothing import nearest_cells, sum_over_neighbours
from impbench_plugins.shared.nearest import compile_nearest

from impbench import Context, Observed
from impbench.errors import InputError

INPUTS = Path(__file__).parents[2] / "data" / "inputs"


@pytest.fixture(scope="module")
def grouped():
    """Three groups of 30 cells with genes of their own."""
    rng = np.random.default_rng(3)
    means = rng.gamma(1.0, 4.0, (3, 18))
    return Observed.from_counts(rng.poisson(means[np.arange(90) % 3]))


def smoothed_cell_by_cell(counts, k, d, dither, seed):
    """The published steps, every cell and every distance by itself."""
    n, rng = len(counts), np.random.default_rng(seed)
    smoothed = counts.astype(float)
    for t in range(1, int(np.ceil(np.log2(k + 1))) + 1):
        step = min(2**t - 1, k)
        sizes = smoothed.sum(axis=1)
        scaled = smoothed / sizes[:, None] * np.median(sizes)
        transformed = np.sqrt(scaled) + np.sqrt(scaled + 1)
        centred = transformed - transformed.mean(axis=0)
        points = centred @ np.linalg.svd(centred)[2][:d].T
        # Signs are arbitrary, but decide what the noise does.
        points *= np.sign(points[np.abs(points).argmax(axis=0), np.arange(d)])
        rng.integers(2**32)  # What seeds the randomised PCA.
        noise = rng.random((n, d)) - 0.5
        points += noise * dither * (points.max(axis=0) - points.min(axis=0))
        smoothed = np.empty_like(smoothed)
        for i in range(n):
            distance = np.linalg.norm(points - points[i], axis=1)
            others = [j for j in np.argsort(distance) if j != i][:step]
            smoothed[i] = counts[[i, *others]].sum(axis=0)
    return smoothed


@pytest.mark.parametrize("k", [1, 2, 7, 12, 32])
@pytest.mark.parametrize("d", [10, 18])
@pytest.mark.parametrize("dither", [0.03, 0.2])
def test_sums_equal_those_of_the_published_steps(grouped, k, d, dither):
    imputed = KnnSmoothing(k=k, d=d, dither=dither).impute(grouped, Context(seed=5))
    expected = smoothed_cell_by_cell(grouped.dense_counts, k, d, dither, 5)
    np.testing.assert_allclose(imputed.expression * (k + 1), expected, rtol=1e-6)


def test_every_cell_is_its_own_first_neighbour_and_no_cell_comes_twice(grouped):
    counts = grouped.dense_counts.copy()
    counts[::4] = counts[0]  # Copies, at distance 0.
    neighbours = nearest_cells(counts, 9, dither=0)
    assert neighbours.shape == (90, 10)
    assert (neighbours[:, 0] == np.arange(90)).all()
    assert all(len(set(row)) == 10 for row in neighbours.tolist())


def test_steps_take_one_three_seven_and_at_last_k_neighbours(grouped, monkeypatch):
    from impbench_plugins.knn_smoothing import smoothing

    nearest, seen = smoothing._nearest, []

    def watch(points, k):
        seen.append(k)
        return nearest(points, k)

    monkeypatch.setattr(smoothing, "_nearest", watch)
    nearest_cells(grouped.counts, 32)
    assert seen == [1, 3, 7, 15, 31, 32]
    seen.clear()
    nearest_cells(grouped.counts, 31)
    assert seen == [1, 3, 7, 15, 31]


def test_cells_are_smoothed_with_their_own_group(grouped):
    neighbours = nearest_cells(grouped.counts, 20)
    same = neighbours % 3 == np.arange(90)[:, None] % 3
    assert same.mean() > 0.99


def test_noise_falls_and_the_mean_stays():
    cells = anndata.read_h5ad(INPUTS / "small_rare.h5ad")
    observed = Observed.from_counts(cells.X)
    true = Observed.from_counts(cells.layers["true_counts"].toarray()).lognorm
    imputed = KnnSmoothing().impute(observed, Context())
    error = ((imputed.lognorm(observed) - true) ** 2).mean()
    assert error < 0.5 * ((observed.lognorm - true) ** 2).mean()
    assert imputed.expression.mean() == pytest.approx(observed.dense_counts.mean(), rel=0.05)


def test_own_library_sizes_are_kept_on_request_and_neighbours_else(grouped):
    counts = grouped.dense_counts.copy()
    counts[0] *= 3
    observed = Observed.from_counts(counts)
    sizes = counts.sum(axis=1)
    plain, own = (
        KnnSmoothing(k=10, library=library).impute(observed, Context()).expression
        for library in ("neighbours", "own")
    )
    np.testing.assert_allclose(own.sum(axis=1), sizes, rtol=1e-5)
    np.testing.assert_allclose(
        own / own.sum(axis=1, keepdims=True), plain / plain.sum(axis=1, keepdims=True), rtol=1e-5
    )
    assert plain[0].sum() < 0.6 * sizes[0]


@pytest.mark.parametrize("changed", [{"k": 9}, {"d": 2}, {"dither": 0.0}, {"library": "own"}])
def test_every_parameter_changes_the_result(grouped, changed):
    values = KnnSmoothing(**{"k": 10, **changed}).impute(grouped, Context()).expression
    assert not np.array_equal(values, KnnSmoothing(k=10).impute(grouped, Context()).expression)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "counts",
    [
        np.zeros((6, 5)),
        np.full((6, 5), 4),
        np.eye(6, 3) * 7,
        np.random.default_rng(0).poisson(2, (9, 1)),
        np.insert(np.random.default_rng(0).poisson(2, (12, 9)), 3, 0, axis=0),
        np.random.default_rng(0).poisson(2, (12, 9)) * 10**7,
    ],
    ids=["zeros", "constant", "empty cells", "one gene", "one empty cell", "large"],
)
@pytest.mark.parametrize("library", ["neighbours", "own"])
def test_degenerate_data_give_valid_results(counts, library):
    observed = Observed.from_counts(counts)
    imputed = KnnSmoothing(k=5, library=library).impute(observed, Context())
    imputed.check(observed)
    assert (imputed.expression >= 0).all()


def test_as_many_neighbours_as_cells_are_refused(grouped):
    KnnSmoothing(k=89).impute(grouped, Context()).check(grouped)
    with pytest.raises(InputError, match="k=90 neighbours of each cell need at least 91 cells"):
        KnnSmoothing(k=90).impute(grouped, Context())


def test_memory_grows_with_cells_and_not_with_their_square():
    counts = sp.csr_matrix(np.random.default_rng(0).poisson(0.5, (6000, 12)))
    nearest_cells(counts[:100], 32)  # Imports.
    compile_nearest()
    tracemalloc.start()
    sum_over_neighbours(counts, nearest_cells(counts, 32))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6000 * 6000  # A byte for every pair of cells.
