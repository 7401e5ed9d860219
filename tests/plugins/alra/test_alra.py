"""ALRA against the original's output, its laws, and its edges."""

from pathlib import Path

import anndata
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from impbench_plugins.alra import Alra
from impbench_plugins.alra.low_rank import approximate, choose_rank
from impbench_plugins.alra.scale import counts_from_log, log_normalised
from impbench_plugins.alra.threshold import complete

from impbench import Context, Observed, large
from impbench.errors import InputError

DATA = Path(__file__).parents[2] / "data"
RUNS = ["small_rare_1", "small_rare_2", "small_batch_1"]


def small(name):
    return Observed.from_counts(anndata.read_h5ad(DATA / "inputs" / f"{name}.h5ad").X)


@pytest.fixture(scope="module")
def tiny():
    rng = np.random.default_rng(0)
    counts = rng.poisson(rng.gamma(2, 2, (3, 40))[np.arange(60) % 3])
    counts[rng.random(counts.shape) < 0.4] = 0
    return Observed.from_counts(counts)


@pytest.mark.parametrize("run", RUNS)
def test_rank_and_values_equal_the_originals_seed_by_seed(run):
    name, seed = run.rsplit("_", 1)
    observed = small(name)
    with np.load(DATA / "alra" / "original.npz") as file:
        original, k = file[run], int(file[f"k_{run}"][0])
    imputed = Alra().impute(observed, Context(seed=int(seed)))
    imputed.check(observed)
    assert imputed.info["k"] == k
    sizes = observed.dense_counts.sum(axis=1, keepdims=True)
    ours = np.log1p(1e4 * imputed.expression[:, ::2] / sizes)  # Every second gene is stored.
    np.testing.assert_allclose(ours, original, rtol=0, atol=1e-6)


counts = hnp.arrays(
    np.int64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=8), elements=st.integers(0, 10**7)
)


@settings(max_examples=200, deadline=None)
@given(counts)
def test_the_scale_and_back_gives_every_count_to_the_last_digit(counts):
    for matrix in (counts, sp.csr_matrix(counts)):
        back = counts_from_log(log_normalised(matrix), matrix)
        np.testing.assert_array_equal(back, counts.astype(np.float32))


def test_the_scale_is_the_natural_log_of_ten_thousands():
    observed = small("small_rare")
    sizes = observed.dense_counts.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        log_normalised(observed.counts), np.log1p(1e4 * observed.dense_counts / sizes), rtol=1e-12
    )


def gene_by_gene(observed, low_rank, quantile):
    """One gene after the other, as the paper describes it."""
    result = np.zeros_like(observed)
    for j in range(observed.shape[1]):
        x, y = low_rank[:, j].copy(), observed[:, j]
        x[x <= abs(np.quantile(x, quantile))] = 0
        kept, seen = x[x != 0], y[y > 0]
        if len(kept) > 1 and len(seen) > 1 and kept.std() > 0:
            scaled = (kept - kept.mean()) / kept.std(ddof=1) * seen.std(ddof=1) + seen.mean()
            x[x != 0] = np.maximum(scaled, 0)
        result[:, j] = np.where((x == 0) & (y > 0), y, x)
    return result


@pytest.mark.parametrize("quantile", [0.0, 0.001, 0.2])
def test_genes_in_blocks_equal_genes_one_by_one(tiny, quantile, monkeypatch):
    monkeypatch.setattr("impbench_plugins.alra.threshold.GENES", 7)
    values = log_normalised(tiny.counts)
    left, right = approximate(values, 3, 10, np.random.RandomState(0))
    expected = gene_by_gene(values, left @ right, quantile)
    completed = values.copy()
    restored = complete(completed, left, right, quantile)
    np.testing.assert_allclose(completed, expected, atol=1e-12)
    assert restored == ((completed == values) & (values > 0)).sum()


def test_observed_counts_come_back_exactly_where_the_result_would_be_zero(tiny):
    imputed = Alra(k=3, quantile=0.5).impute(tiny, Context())
    assert (imputed.expression[tiny.dense_counts > 0] > 0).all()
    same = (imputed.expression == tiny.dense_counts) & (tiny.dense_counts > 0)
    assert same.sum() >= imputed.info["n_restored"] > 50


@pytest.mark.parametrize("shape", [(150, 130), (130, 150)])
def test_rank_is_the_last_gap_between_singular_values_that_stands_out(shape):
    rng = np.random.default_rng(1)
    left, right = (np.linalg.qr(rng.normal(size=(n, 130)))[0] for n in shape)
    singular = np.array([500, 400, 399, 300, *np.linspace(20, 10, 126)])
    assert choose_rank((left * singular) @ right.T, np.random.RandomState(0)) == 4


def test_zeros_between_factors_of_two_groups_stay_zeros():
    rng = np.random.default_rng(2)
    counts = rng.poisson(6.0, (80, 30))
    counts[:40, :10] = counts[40:, 10:20] = 0  # Genes that one group does not express.
    truth_zero = counts == 0
    dropped = rng.random(counts.shape) < 0.2
    imputed = Alra(k=2).impute(Observed.from_counts(np.where(dropped, 0, counts)), Context())
    zero = imputed.expression == 0
    assert zero[truth_zero].mean() > 0.8
    assert zero[dropped & ~truth_zero].mean() < 0.05


def test_small_data_are_refused_with_the_way_out_unless_the_rank_is_given(tiny):
    with pytest.raises(
        InputError, match=r"at least 100 cells and 100 genes; got 60 cells × 40"
    ) as e:
        Alra().impute(tiny, Context())
    assert "alra[k=10]" in str(e.value)
    Alra(k=3).impute(tiny, Context()).check(tiny)
    with pytest.raises(InputError, match="k=41 is more than 60 cells × 40 genes"):
        Alra(k=41).impute(tiny, Context())
    # The published rule with other numbers, for whoever wants it on small data.
    rank = Alra(n_values=40, noise_start=30).impute(tiny, Context()).info["k"]
    assert 1 <= rank < 30


def test_data_without_any_gap_and_parameters_that_contradict_are_refused():
    with pytest.raises(InputError, match="no gap between singular values stands out"):
        Alra().impute(Observed.from_counts(np.zeros((120, 110))), Context())
    with pytest.raises(InputError, match=r"noise_start=99.*at most 98"):
        Alra(n_values=99, noise_start=99)


@pytest.mark.parametrize(
    "counts",
    [
        np.zeros((6, 5)),
        np.full((6, 5), 4),
        np.eye(6, 5) * 7,
        np.random.default_rng(0).poisson(2, (1, 9)),
        np.insert(np.random.default_rng(0).poisson(2, (12, 9)), 3, 0, axis=0),
        np.random.default_rng(0).poisson(2, (12, 9)) * 10**7,
    ],
    ids=["zeros", "constant", "one count per gene", "one cell", "empty cell", "large"],
)
def test_degenerate_data_give_valid_results(counts):
    observed = Observed.from_counts(counts)
    imputed = Alra(k=1).impute(observed, Context())
    imputed.check(observed)
    assert (imputed.expression >= 0).all()
    assert not imputed.expression[counts.sum(axis=1) == 0].any()


def test_every_parameter_changes_the_result():
    observed = small("small_batch")
    default = Alra().impute(observed, Context()).expression
    for changed in (
        {"k": 3}, {"n_power": 2}, {"quantile": 0.0}, {"n_values": 110},
        {"noise_start": 20}, {"threshold": 20.0},
    ):  # fmt: skip
        imputer = Alra(**changed)
        assert not np.array_equal(imputer.impute(observed, Context()).expression, default), changed


def test_a_gene_without_counts_and_with_a_trace_of_others_gives_numbers():
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(30, 2)), rng.normal(size=(2, 6))
    values = np.maximum(left @ right, 0)
    values[:, 3] = 0
    complete(values, left, right, 0.001)
    assert np.isfinite(values).all()


@pytest.mark.parametrize("shape", [(150, 130), (130, 150)])
def test_large_data_by_blocks_of_cells_give_the_same(shape, monkeypatch):
    rng = np.random.default_rng(3)
    means = rng.gamma(2.0, 3.0, (4, shape[1]))[rng.integers(0, 4, shape[0])]
    counts = rng.poisson(means) * (rng.random(shape) < 0.6)
    observed = Observed.from_counts(counts)
    expected = Alra().impute(observed, Context(seed=4))
    monkeypatch.setattr(large, "LARGE", 1000)
    monkeypatch.setattr(large, "BLOCK", 2**13)
    found = Alra().impute(observed, Context(seed=4))
    assert found.info == expected.info
    np.testing.assert_allclose(found.expression, expected.expression, rtol=1e-6, atol=1e-6)
