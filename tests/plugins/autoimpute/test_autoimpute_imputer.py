from pathlib import Path

import anndata
import numpy as np
import pytest
from impbench_plugins.autoimpute import AutoImpute
from impbench_plugins.autoimpute.genes import dispersed_genes

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


def test_published_training_fits_the_observed_entries_and_leaves_noise_at_the_zeros(tiny):
    """Each hidden unit's first weights add noise there that nothing takes away."""
    imputed = AutoImpute(hidden=200).impute(tiny, Context())
    seen = tiny.lognorm > 0
    assert imputed.info["mse_observed"] < 0.1
    assert imputed.info["settled"]
    small = AutoImpute(hidden=200, initial_sd=0.01).impute(tiny, Context())
    assert imputed.expression[~seen].std() > 2 > 0.5 > small.expression[~seen].std()


def test_small_first_weights_recover_simulated_dropouts():
    cells = anndata.read_h5ad(INPUTS / "small_rare.h5ad")[:100]
    counts, truth = (m.toarray() for m in (cells.X, cells.layers["true_counts"]))
    observed, true = Observed.from_counts(counts), Observed.from_counts(truth).lognorm
    dropout = (counts == 0) & (truth > 0)
    imputer = AutoImpute(hidden=100, initial_sd=0.01)
    values = imputer.impute(observed, Context()).expression
    left_as_zeros = np.mean(true[dropout] ** 2)
    assert np.mean((values - true)[dropout] ** 2) < 0.1 * left_as_zeros


@pytest.mark.parametrize("rule", ["code", "paper"])
def test_genes_that_are_not_chosen_come_back_as_observed(tiny, rule):
    imputed = AutoImpute(**QUICK, genes=rule, n_genes=5).impute(tiny, Context())
    kept = (imputed.expression == tiny.lognorm).all(axis=0)
    assert kept.sum() == 7
    assert imputed.info["n_genes"] == 5


def test_chosen_genes_are_divided_by_library_sizes_of_the_expressed_and_brought_back():
    rng = np.random.default_rng(0)
    counts = rng.negative_binomial(2, 0.2, (30, 12))
    counts[:3, :3] = rng.integers(100, 900, (3, 3))  # In three cells alone: not expressed.
    counts[3:, :3] = 0
    observed = Observed.from_counts(counts)
    chosen = dispersed_genes(counts, 100, "code")
    assert set(chosen.genes) == set(range(3, 12))
    # What the network would say of exactly these genes, divided as the program does.
    alone = Observed.from_counts(counts[:, chosen.genes], chosen.size_factors)
    few = {"hidden": 24, "learning_rate": 1e-3, "steps": 3}
    ours = AutoImpute(**few, genes="code", n_genes=100).impute(observed, Context()).expression
    theirs = AutoImpute(**few).impute(alone, Context()).expression.astype(float)
    ratio = (chosen.size_factors / observed.size_factors)[:, None]
    at_least_0 = theirs >= 0
    expected = np.log2(1 + (np.exp2(np.maximum(theirs, 0)) - 1) * ratio)
    np.testing.assert_allclose(ours[:, chosen.genes][at_least_0], expected[at_least_0], atol=1e-4)
    assert (ours[:, chosen.genes][~at_least_0] < 0).all()
    np.testing.assert_array_equal(ours[:, :3], observed.lognorm[:, :3])


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
    quick = {**QUICK, "initial_sd": 0.1, "steps": 300, "threshold": 0.0}
    default = AutoImpute(**quick).impute(tiny, Context())
    assert default.info["steps"] == 300
    for changed in (
        {"hidden": 25}, {"ridge": 0.5}, {"learning_rate": 0.02}, {"threshold": 0.5},
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
