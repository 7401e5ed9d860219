from pathlib import Path

import anndata
import numpy as np
import pytest
from impbench_plugins.cnnimpute import CnnImpute, CnnImputeNl
from impbench_plugins.cnnimpute.dropouts import dropout_matrix

from impbench import Context, Observed
from impbench.errors import InputError

INPUTS = Path(__file__).parents[2] / "data" / "inputs"


@pytest.fixture(scope="module")
def tiny():
    """Forty cells of two types, a third of the entries dropped; eight genes keep all."""
    rng = np.random.default_rng(0)
    means = rng.gamma(2.0, 20.0, (2, 30)) + 5
    counts = rng.poisson(means[np.arange(40) % 2] * rng.uniform(0.7, 1.4, (40, 1)))
    dropped = rng.random(counts.shape) < 0.33
    dropped[:, :8] = False
    counts[dropped] = 0
    return Observed.from_counts(counts, n_groups=2)


@pytest.mark.parametrize("kind", [CnnImpute, CnnImputeNl])
def test_only_likely_dropouts_change(tiny, kind):
    imputed = kind(n_clusters=1, epochs=2).impute(tiny, Context())
    imputed.check(tiny)
    assert imputed.scale == "counts"
    likely = dropout_matrix(tiny.counts, np.zeros(40, dtype=int)) > 0.5
    assert likely.any()
    np.testing.assert_array_equal(imputed.expression[~likely], tiny.counts[~likely])
    assert imputed.info["n_imputed"] == likely.sum()
    assert imputed.info["n_targets"] == likely.any(axis=0).sum()
    assert imputed.info["n_without_inputs"] == 0
    assert imputed.info["block_size"] == 512
    assert imputed.embedding.shape == (40, 3)


def test_predictions_beat_zeros_on_simulated_dropouts():
    cells = anndata.read_h5ad(INPUTS / "small_rare.h5ad")[:100]
    counts, truth = (m.toarray() for m in (cells.X, cells.layers["true_counts"]))
    observed, true = Observed.from_counts(counts), Observed.from_counts(truth).lognorm
    dropout = (counts == 0) & (truth > 0)
    imputer = CnnImpute(learning_rate=1e-3, epochs=25)
    values = imputer.impute(observed, Context()).lognorm(observed)
    left_as_zeros = np.mean(true[dropout] ** 2)
    assert np.mean((values - true)[dropout] ** 2) < 0.8 * left_as_zeros


def test_progress_runs_to_the_end_and_facts_are_told(tiny):
    done = []
    context = Context(on_progress=lambda now, total: done.append((now, total)))
    imputed = CnnImpute(n_clusters="groups", epochs=3, block_size=12).impute(tiny, context)
    assert done == sorted(done)
    assert done[-1] == (100, 100)
    assert sum(imputed.info["group_sizes"]) == 40
    assert len(imputed.info["group_sizes"]) == 2
    assert imputed.info["epochs"] == [3, 3]


def test_data_without_dropouts_come_back_as_they_are():
    counts = np.random.default_rng(0).poisson(200, (20, 12)) + 1
    observed = Observed.from_counts(counts)
    imputed = CnnImpute().impute(observed, Context())
    np.testing.assert_array_equal(imputed.expression, counts)
    assert imputed.info["block_size"] is None
    assert imputed.info["epochs"] == []


@pytest.mark.parametrize("counts", [np.ones((9, 5)), np.zeros((40, 5)), np.zeros((0, 5))])
def test_fewer_than_ten_cells_with_counts_are_refused(counts):
    with pytest.raises(InputError, match="at least 10 cells with counts"):
        CnnImpute().impute(Observed.from_counts(counts), Context())


def test_unknown_number_of_groups_is_refused_when_asked_for(tiny):
    with pytest.raises(InputError, match="do not say how many groups"):
        CnnImpute(n_clusters="groups").impute(Observed.from_counts(tiny.counts), Context())


@pytest.mark.slow
def test_every_parameter_changes_the_result(tiny):
    quick = {"n_clusters": 1, "epochs": 4, "n_correlated": 2, "block_size": 12}
    default = CnnImpute(**quick).impute(tiny, Context()).expression
    for changed in (
        {"n_clusters": 8}, {"threshold": 1.0}, {"max_missing": 0.2}, {"n_correlated": 3},
        {"block_size": 24}, {"pooling": "max"}, {"output": "linear"},
        {"dropout_rate": 0.0}, {"epochs": 3}, {"batch_size": 8}, {"learning_rate": 1e-3},
        {"learning_rate": 0.1, "early_stop": 1},
    ):  # fmt: skip
        imputer = CnnImpute(**{**quick, **changed})
        assert not np.array_equal(imputer.impute(tiny, Context()).expression, default), changed
    assert not np.array_equal(CnnImputeNl(**quick).impute(tiny, Context()).expression, default)
