from pathlib import Path

import anndata
import numpy as np
import pytest
from impbench_plugins.autoimpute import AutoImpute

from impbench import Context, Observed
from impbench.errors import Cancelled, InputError

INPUTS = Path(__file__).parents[2] / "data" / "inputs"
QUICK = {"hidden": 24, "learning_rate": 0.01, "steps": 30}


@pytest.fixture(scope="module")
def tiny():
    rng = np.random.default_rng(0)
    return Observed.from_counts(rng.negative_binomial(1, 0.2, (30, 12)))


def test_returns_log_values_for_every_entry_and_facts(tiny):
    done = []
    context = Context(on_progress=lambda now, total: done.append((now, total)))
    imputed = AutoImpute(**QUICK).impute(tiny, context)
    imputed.check(tiny)
    assert imputed.scale == "lognorm"
    seen = tiny.lognorm > 0
    assert (imputed.expression[~seen] != 0).all()
    error = np.mean((imputed.expression - tiny.lognorm)[seen] ** 2)
    assert imputed.info["mse_observed"] == pytest.approx(error)
    assert imputed.info["steps"] == 30
    assert not imputed.info["settled"]
    assert done == [(n, 30) for n in range(1, 31)]


def test_published_training_fits_the_observed_entries(tiny):
    imputed = AutoImpute(hidden=200).impute(tiny, Context())
    assert imputed.info["mse_observed"] < 0.02


def test_small_first_weights_recover_simulated_dropouts():
    cells = anndata.read_h5ad(INPUTS / "small_rare.h5ad")[:100]
    counts, truth = (m.toarray() for m in (cells.X, cells.layers["true_counts"]))
    observed, true = Observed.from_counts(counts), Observed.from_counts(truth).lognorm
    dropout = (counts == 0) & (truth > 0)
    imputer = AutoImpute(hidden=400, initial_sd=0.01)
    values = imputer.impute(observed, Context()).expression
    left_as_zeros = np.mean(true[dropout] ** 2)
    assert np.mean((values - true)[dropout] ** 2) < 0.1 * left_as_zeros


@pytest.mark.parametrize("rule", ["code", "paper"])
def test_genes_that_are_not_chosen_come_back_as_observed(tiny, rule):
    imputer = AutoImpute(**QUICK, genes=rule, n_genes=5)
    imputed = imputer.impute(tiny, Context())
    kept = (imputed.expression == tiny.lognorm).all(axis=0)
    assert kept.sum() == 7
    assert imputed.info["n_genes"] == 5
    alone = Observed.from_counts(tiny.counts[:, ~kept], tiny.size_factors)
    expected = AutoImpute(**QUICK).impute(alone, Context()).expression
    np.testing.assert_array_equal(imputed.expression[:, ~kept], expected)


@pytest.mark.parametrize("counts", [np.zeros((4, 5)), np.zeros((0, 5)), np.zeros((4, 0))])
def test_data_without_counts_are_refused(counts):
    with pytest.raises(InputError, match="nothing to learn from"):
        AutoImpute().impute(Observed.from_counts(counts), Context())


def test_a_rule_that_keeps_no_gene_is_refused():
    with pytest.raises(InputError, match="use genes=given"):
        AutoImpute(genes="code").impute(Observed.from_counts(np.ones((9, 4))), Context())


@pytest.mark.parametrize(
    "counts",
    [
        np.array([[3, 0, 1]]),
        np.full((12, 3), 4),
        np.random.default_rng(0).integers(0, 10**6, (15, 4)),
    ],
    ids=["one cell", "constant genes", "large counts"],
)
def test_unusual_data_give_finite_values(counts):
    observed = Observed.from_counts(counts)
    AutoImpute(**QUICK).impute(observed, Context()).check(observed)


def test_cancelling_stops_the_training(tiny):
    def cancel(done, total):
        if done == 2:
            raise Cancelled("stop")

    for threads in (1, 2):
        with pytest.raises(Cancelled):
            AutoImpute(**QUICK).impute(tiny, Context(threads=threads, on_progress=cancel))


def test_every_parameter_changes_the_result(tiny):
    quick = {**QUICK, "initial_sd": 0.1, "steps": 300}
    default = AutoImpute(**quick).impute(tiny, Context())
    assert default.info["steps"] == 300
    for changed in (
        {"hidden": 25}, {"ridge": 0.5}, {"learning_rate": 0.02}, {"threshold": 1.0},
        {"steps": 299}, {"biases": False}, {"initial_sd": 0.2},
        {"genes": "paper", "n_genes": 4},
    ):  # fmt: skip
        imputer = AutoImpute(**{**quick, **changed})
        assert not np.array_equal(imputer.impute(tiny, Context()).expression, default.expression)
    # 1 per cell is 30 in total: the same threshold ends the training later.
    steps = [
        AutoImpute(**{**quick, "threshold": 1.0, "stop": stop})
        .impute(tiny, Context())
        .info["steps"]
        for stop in ("per-cell", "total")
    ]
    assert steps[0] < steps[1]
