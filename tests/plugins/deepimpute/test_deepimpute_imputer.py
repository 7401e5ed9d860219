"""DeepImpute against the original's errors, its promises, and its edges."""

from pathlib import Path

import anndata
import numpy as np
import pytest
from impbench_plugins.deepimpute import DeepImpute

from impbench import Context, Observed
from impbench.errors import InputError

INPUTS = Path(__file__).parents[2] / "data" / "inputs"

# MSE, dropout-MSE and biozero-MSE of DeepImpute 1.2 on TensorFlow 2.15: mean and sd over its seeds
# 1 to 3. Imputation and input are divided by the size factors of the input, the truth by its own.
ORIGINAL = {
    "small_rare": ((0.8172, 0.9223, 3.8205), (0.0613, 0.1134, 0.0912)),
    "small_batch": ((0.8615, 0.9421, 4.0519), (0.0260, 0.0514, 0.0885)),
}
FEW = {"epochs": 3, "block_size": 8, "hidden_size": 6}


@pytest.fixture(scope="module")
def tiny():
    rng = np.random.default_rng(0)
    return Observed.from_counts(rng.negative_binomial(1, 0.1, (60, 20)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ORIGINAL)
def test_errors_equal_the_originals_within_10_percent_or_3_sd(name):
    cells = anndata.read_h5ad(INPUTS / f"{name}.h5ad")
    counts, truth = (m.toarray() for m in (cells.X, cells.layers["true_counts"]))
    observed, true = Observed.from_counts(counts), Observed.from_counts(truth).lognorm
    splits = []
    for seed in (1, 2, 3):
        imputed = DeepImpute().impute(observed, Context(seed=seed))
        imputed.check(observed)
        error = (imputed.lognorm(observed) - true) ** 2
        dropout, biozero = (counts == 0) & (truth > 0), truth == 0
        splits.append([error.mean(), error[dropout].mean(), error[biozero].mean()])
    mean, sd = (np.array(values) for values in ORIGINAL[name])
    assert (np.abs(np.mean(splits, 0) - mean) <= np.maximum(0.1 * mean, 3 * sd)).all()


def test_observed_counts_stay_and_zeros_of_variable_genes_are_filled(tiny):
    counts = tiny.dense_counts.copy()
    counts[:, 3] = 7  # Constant.
    counts[:, 5] = np.arange(60) % 2  # Varies little.
    imputed = DeepImpute(**FEW).impute(Observed.from_counts(counts), Context())
    seen = counts > 0
    np.testing.assert_array_equal(imputed.expression[seen], counts[seen])
    assert imputed.info["networks"] == 3
    # 18 genes vary enough, so three blocks of 8 take all that vary, the little ones too.
    assert imputed.info["genes_imputed"] == 19
    assert (imputed.expression[~seen] > 0).all()
    # A block of 18 leaves the one gene that varies little as it is.
    imputed = DeepImpute(**{**FEW, "block_size": 18}).impute(
        Observed.from_counts(counts), Context()
    )
    assert imputed.info["genes_imputed"] == 18
    np.testing.assert_array_equal(imputed.expression[:, [3, 5]], counts[:, [3, 5]])


def test_a_gene_that_follows_others_is_recovered():
    rng = np.random.default_rng(1)
    factor = rng.gamma(2, 1, (400, 1))
    truth = rng.poisson(factor * rng.uniform(10, 30, 12))
    counts = truth.copy()
    hidden = np.zeros(truth.shape, dtype=bool)
    hidden[:, 0] = rng.random(400) < 0.3
    counts[hidden] = 0
    observed = Observed.from_counts(counts, size_factors=np.ones(400))
    imputer = DeepImpute(block_size=6, epochs=300, learning_rate=1e-3, n_predictors=6)
    imputed = imputer.impute(observed, Context()).expression
    log, true = np.log1p(imputed[hidden]), np.log1p(truth[hidden])
    assert np.corrcoef(log, true)[0, 1] > 0.7
    assert np.mean((log - true) ** 2) < 0.5 * true.var()


def test_shallow_or_normalised_data_are_refused(tiny):
    shallow = Observed.from_counts(np.minimum(tiny.dense_counts, 9))
    with pytest.raises(InputError, match=r"largest value is below 10.*here it is 9\. Give raw"):
        DeepImpute().impute(shallow, Context())
    DeepImpute(**FEW).impute(
        Observed.from_counts(np.minimum(tiny.dense_counts, 10)), Context()
    ).check(tiny)


def test_too_few_cells_and_genes_that_do_not_vary_are_refused(tiny):
    with pytest.raises(InputError, match=r"share of 0\.05 of 19 cells leaves none"):
        DeepImpute().impute(Observed.from_counts(tiny.counts[:19]), Context())
    few = Observed.from_counts(tiny.counts[:20])
    DeepImpute(**FEW).impute(few, Context()).check(few)
    with pytest.raises(InputError, match=r"no gene has variance / \(1 \+ mean\) above"):
        DeepImpute().impute(Observed.from_counts(np.full((30, 4), 12)), Context())
    for name in ("dropout", "validation"):
        with pytest.raises(InputError, match=f"{name}=1.0 must be below 1"):
            DeepImpute(**{name: 1.0})


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "counts",
    [
        np.random.default_rng(0).poisson(1, (40, 6)) * 10**7,
        np.random.default_rng(0).poisson(9, (40, 1)),
    ],
    ids=["large", "one gene"],
)
def test_unusual_data_give_valid_results(counts):
    observed = Observed.from_counts(counts)
    imputed = DeepImpute(**FEW).impute(observed, Context())
    imputed.check(observed)
    assert (imputed.expression >= 0).all()


def test_every_parameter_changes_the_result(tiny):
    base = {**FEW, "epochs": 30, "learning_rate": 0.05}
    default = DeepImpute(**base).impute(tiny, Context()).expression
    for changed in (
        {"min_dispersion": 13.0}, {"block_size": 20}, {"n_predictors": 1}, {"hidden_size": 9},
        {"dropout": 0.6}, {"epochs": 2}, {"batch_size": 8}, {"learning_rate": 1e-3},
        {"early_stop": 1}, {"validation": 0.3},
    ):  # fmt: skip
        other = DeepImpute(**{**base, **changed}).impute(tiny, Context()).expression
        assert not np.array_equal(other, default), changed
