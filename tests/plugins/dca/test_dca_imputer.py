from pathlib import Path

import anndata
import numpy as np
import pytest
from impbench_plugins.dca import Dca

from impbench import Context, Observed
from impbench.errors import InputError

pytestmark = pytest.mark.slow

INPUTS = Path(__file__).parents[2] / "data" / "inputs"

# MSE, dropout-MSE and biozero-MSE of DCA 0.3.4 on TensorFlow 2.15: mean and sd over its seeds 1 to
# 3. Imputation and truth are each divided by the size factors of their own counts, then logged.
ORIGINAL = {
    ("nb-conddisp", "small_rare"): ((1.8551, 2.8739, 0.2331), (0.0043, 0.0174, 0.0039)),
    ("nb", "small_rare"): ((2.7563, 4.4967, 0.1686), (0.1249, 0.2509, 0.0103)),
    ("zinb-conddisp", "small_rare"): ((0.6309, 0.8262, 1.2440), (0.0031, 0.0105, 0.0354)),
    ("zinb", "small_rare"): ((1.0979, 1.8170, 0.5052), (0.0139, 0.0403, 0.0304)),
    ("nb-conddisp", "small_batch"): ((1.5016, 2.3661, 0.2545), (0.0273, 0.0265, 0.0077)),
    ("nb", "small_batch"): ((2.0549, 3.4007, 0.1751), (0.0637, 0.1459, 0.0013)),
    ("zinb-conddisp", "small_batch"): ((0.6541, 0.8483, 1.3771), (0.0061, 0.0042, 0.0036)),
    ("zinb", "small_batch"): ((0.9518, 1.6109, 0.4711), (0.0291, 0.0727, 0.0321)),
}


@pytest.fixture(scope="module")
def tiny():
    rng = np.random.default_rng(0)
    return Observed.from_counts(rng.negative_binomial(1, 0.2, (30, 12)))


@pytest.mark.parametrize(("type", "name"), ORIGINAL)
def test_errors_equal_the_originals_within_10_percent_or_3_sd(type, name):
    cells = anndata.read_h5ad(INPUTS / f"{name}.h5ad")
    counts, truth = (m.toarray() for m in (cells.X, cells.layers["true_counts"]))
    observed, true = Observed.from_counts(counts), Observed.from_counts(truth).lognorm
    splits = []
    for seed in (1, 2, 3):
        imputed = Dca(type=type).impute(observed, Context(seed=seed))
        imputed.check(observed)
        error = (imputed.lognorm(observed) - true) ** 2
        dropout, biozero = (counts == 0) & (truth > 0), truth == 0
        splits.append([error.mean(), error[dropout].mean(), error[biozero].mean()])
    mean, sd = (np.array(values) for values in ORIGINAL[type, name])
    assert (np.abs(np.mean(splits, 0) - mean) <= np.maximum(0.1 * mean, 3 * sd)).all()


@pytest.mark.parametrize("type", ["nb-conddisp", "nb", "zinb", "zinb-conddisp", "poisson"])
def test_every_type_returns_positive_means_and_the_bottleneck(tiny, type):
    done = []
    context = Context(seed=1, on_progress=lambda now, total: done.append((now, total)))
    imputed = Dca(type=type, epochs=3).impute(tiny, context)
    imputed.check(tiny)
    assert imputed.scale == "counts"
    assert (imputed.expression > 0).all()
    assert imputed.embedding.shape == (30, 32)
    assert imputed.info["epochs"] == 3
    assert done == [(1, 3), (2, 3), (3, 3)]


def test_poisson_means_approach_the_counts_level():
    counts = np.random.default_rng(0).poisson(np.linspace(2, 40, 20), (100, 20))
    observed = Observed.from_counts(counts)
    mean = Dca(type="poisson").impute(observed, Context()).expression.mean(axis=0)
    np.testing.assert_allclose(mean, counts.mean(axis=0), rtol=0.15)


@pytest.mark.parametrize(
    "counts",
    [
        np.array([[3, 0, 1], [2, 5, 0]]),
        np.full((12, 3), 4),
        np.random.default_rng(0).integers(0, 10**6, (15, 4)),
    ],
    ids=["two cells", "constant genes", "large counts"],
)
def test_unusual_data_give_finite_means(counts):
    observed = Observed.from_counts(counts)
    for type in ("nb-conddisp", "zinb", "poisson"):
        imputed = Dca(type=type, epochs=20).impute(observed, Context())
        imputed.check(observed)
        assert (imputed.expression > 0).all()


@pytest.mark.parametrize("counts", [np.eye(1, 5), np.zeros((4, 5)), np.zeros((0, 5))])
def test_fewer_than_two_cells_with_counts_are_refused(counts):
    with pytest.raises(InputError, match="at least 2 cells with counts"):
        Dca().impute(Observed.from_counts(counts), Context())


def test_every_parameter_changes_the_result(tiny):
    default = Dca(type="zinb", epochs=40).impute(tiny, Context()).expression
    for changed in (
        {"type": "nb"}, {"train_dropout": True}, {"hidden_size": (16,)}, {"epochs": 39},
        {"batch_size": 8}, {"learning_rate": 1e-2}, {"clip_grad": 1e-3},
        {"learning_rate": 0.05, "reduce_lr": 2}, {"learning_rate": 0.05, "early_stop": 1},
    ):  # fmt: skip
        imputer = Dca(**{"type": "zinb", "epochs": 40, **changed})
        assert not np.array_equal(imputer.impute(tiny, Context()).expression, default)
    with pytest.raises(InputError, match="hidden_size"):
        Dca(hidden_size=())
