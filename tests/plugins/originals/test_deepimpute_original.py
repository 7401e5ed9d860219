import numpy as np
import pytest
from impbench_plugins.deepimpute import DeepImpute
from impbench_plugins.originals.deepimpute import DeepImputeOriginal

from impbench import Context, Observed
from impbench.errors import InputError

# MSE, dropout-MSE and biozero-MSE on small_rare with block_size=100: mean and sd over seeds 1 to 3.
# Ours: 0.965, 1.203, 3.841 (0.046, 0.099, 0.084).
MEASURED = (0.9286, 1.1267, 3.8756), (0.0122, 0.0290, 0.1293)


@pytest.mark.slow
def test_values_as_measured_and_errors_of_ours(on_small_rare):
    theirs = on_small_rare(DeepImputeOriginal(block_size=100))
    mean, sd = map(np.array, MEASURED)
    allowed = np.maximum(0.1 * mean, 3 * sd)
    assert (np.abs(theirs.mse - mean) <= allowed).all()
    kept = theirs.values == theirs.observed.dense_counts
    assert kept[~theirs.zeros].all()
    assert (theirs.values[theirs.zeros] > 0).all()
    # 300 genes fill three blocks; the package adds a fourth of genes drawn again.
    assert theirs.info["networks"] == 4
    ours = DeepImpute(block_size=100).impute(theirs.observed, Context(seed=1))
    assert ours.info["networks"] == 3


@pytest.mark.slow
def test_the_seed_and_the_learning_rate_are_heeded(impute_where_built):
    observed = Observed.from_counts(counts())
    asked = {"block_size": 10, "epochs": 3}
    first, again, other = (
        impute_where_built(DeepImputeOriginal(**asked), observed, seed).values for seed in (1, 1, 2)
    )
    faster = impute_where_built(DeepImputeOriginal(**asked, learning_rate=1e-3), observed).values
    assert (first == again).all()
    assert (first != other).any()
    assert (first != faster).any()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.full((30, 600), 9), "largest value is below 10"),
        (np.full((19, 600), 10), "of 19 that is none; it needs at least 20"),
        (np.tile([[10], [20]], (15, 512)), "only 512 genes vary, so none is left"),
    ],
)
def test_what_the_package_cannot_learn_from_is_refused(values, reason):
    with pytest.raises(InputError, match=reason):
        DeepImputeOriginal().impute(Observed.from_counts(values), Context())


def counts():
    return np.random.default_rng(0).negative_binomial(1, 0.05, (60, 25))
