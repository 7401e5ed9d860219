from pathlib import Path

import anndata
import numpy as np
import pytest
from impbench_plugins.autoclass import AutoClass

from impbench import Context, Observed
from impbench.errors import InputError

INPUTS = Path(__file__).parents[2] / "data" / "inputs"

# MSE, dropout-MSE and biozero-MSE of AutoClass's own code on TensorFlow 2.15: mean and sd over its
# seeds 1 to 3. Imputation and truth are each normalised by their own counts, then logged.
ORIGINAL = {
    "small_rare": ((5.2291, 8.1051, 0.0400), (0.0689, 0.2925, 0.0032)),
    "small_batch": ((4.4156, 7.1185, 0.0368), (0.1009, 0.4436, 0.0037)),
}


def read(name):
    cells = anndata.read_h5ad(INPUTS / f"{name}.h5ad")
    return cells.X.toarray(), cells.layers["true_counts"].toarray()


@pytest.fixture(scope="module")
def tiny():
    rng = np.random.default_rng(0)
    return Observed.from_counts(rng.negative_binomial(1, 0.2, (40, 12)))


@pytest.mark.parametrize("name", ORIGINAL)
def test_errors_equal_the_originals_within_10_percent_or_3_sd(name):
    counts, truth = read(name)
    # The number of groups is there, but the published default does not look at it.
    observed = Observed.from_counts(counts, n_groups=3)
    true, splits = Observed.from_counts(truth).lognorm, []
    for seed in (1, 2, 3):
        imputed = AutoClass().impute(observed, Context(seed=seed))
        imputed.check(observed)
        assert imputed.info["n_clusters"] == [8, 9, 10]
        error = (imputed.lognorm(observed) - true) ** 2
        dropout, biozero = (counts == 0) & (truth > 0), truth == 0
        splits.append([error.mean(), error[dropout].mean(), error[biozero].mean()])
    mean, sd = (np.array(values) for values in ORIGINAL[name])
    assert (np.abs(np.mean(splits, 0) - mean) <= np.maximum(0.1 * mean, 3 * sd)).all()


def test_returns_positive_logs_the_bottleneck_and_facts(tiny):
    done = []
    context = Context(on_progress=lambda now, total: done.append((now, total)))
    imputed = AutoClass(n_clusters=3, epochs=2).impute(tiny, context)
    imputed.check(tiny)
    assert imputed.scale == "lognorm"
    assert (imputed.expression >= 0).all()
    assert imputed.embedding.shape == (40, 3 * 128)
    assert imputed.info["n_clusters"] == [2, 3, 4]
    assert imputed.info["epochs"] == [2, 2, 2]
    assert done == [(n, 6) for n in range(1, 7)]


def test_given_size_factors_change_the_scale_and_not_the_counts(tiny):
    other = Observed.from_counts(tiny.counts, size_factors=np.linspace(0.5, 2, 40))
    first, second = (AutoClass(epochs=5).impute(o, Context()) for o in (tiny, other))
    np.testing.assert_allclose(first.counts(tiny), second.counts(other), rtol=1e-4, atol=1e-4)
    assert not np.allclose(first.expression, second.expression, rtol=1e-2)


def test_number_of_groups_is_used_when_asked_for(tiny):
    grouped = Observed.from_counts(tiny.counts, n_groups=4)
    asked = AutoClass(n_clusters="groups", epochs=2).impute(grouped, Context())
    given = AutoClass(n_clusters=4, epochs=2).impute(tiny, Context())
    np.testing.assert_array_equal(asked.expression, given.expression)
    with pytest.raises(InputError, match="do not say how many groups"):
        AutoClass(n_clusters="groups").impute(tiny, Context())


@pytest.mark.parametrize(
    "counts",
    [
        np.array([[3, 0, 1], [2, 5, 0]]),
        np.full((12, 3), 4),
        np.random.default_rng(0).integers(0, 10**6, (15, 4)),
    ],
    ids=["two cells", "constant genes", "large counts"],
)
@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_unusual_data_give_finite_values(counts):
    observed = Observed.from_counts(counts)
    AutoClass(epochs=20).impute(observed, Context()).check(observed)


@pytest.mark.parametrize("counts", [np.eye(1, 5), np.zeros((4, 5)), np.zeros((0, 5))])
def test_fewer_than_two_cells_or_no_counts_are_refused(counts):
    with pytest.raises(InputError, match="counts and at least 2 cells"):
        AutoClass().impute(Observed.from_counts(counts), Context())


def test_every_parameter_changes_the_result(tiny):
    default = AutoClass(epochs=40).impute(tiny, Context()).expression
    for changed in (
        {"n_clusters": 3}, {"variance": 0.3}, {"n_pc": 2}, {"bottleneck": 16},
        {"dropout_rate": 0.5}, {"classifier_weight": 0.5}, {"epochs": 39}, {"batch_size": 8},
        {"learning_rate": 1e-2}, {"learning_rate": 0.1, "reduce_lr": 2},
        {"learning_rate": 0.1, "early_stop": 1},
    ):  # fmt: skip
        imputer = AutoClass(**{"epochs": 40, **changed})
        assert not np.array_equal(imputer.impute(tiny, Context()).expression, default)
