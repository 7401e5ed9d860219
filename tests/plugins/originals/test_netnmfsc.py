import numpy as np
import pytest
from impbench_plugins.originals.netnmfsc import NetnmfscOriginal

from impbench import Context, Observed
from impbench.errors import InputError


def test_data_without_counts_are_refused():
    with pytest.raises(InputError, match="needs cells with counts; got none"):
        NetnmfscOriginal().impute(Observed.from_counts(np.zeros((20, 20))), Context())


def test_more_factors_than_the_data_can_have_are_refused():
    few = Observed.from_counts(np.ones((9, 12)))
    with pytest.raises(InputError, match="n_components=10 is more than 9 cells × 12 genes"):
        NetnmfscOriginal().impute(few, Context())


@pytest.mark.slow
def test_scores_as_measured_and_the_seed_decides_where_built(on_small_rare):
    first, again, other = (on_small_rare(NetnmfscOriginal(), seed) for seed in (1, 1, 2))
    np.testing.assert_allclose(first.mse, (1.488, 1.947, 0.328), rtol=0.02)
    assert first.kept < 0.001
    assert 0.999 < first.filled <= 1
    assert first.values.min() == 0
    assert first.info["n_iter"] < 400
    assert np.array_equal(first.values, again.values)
    # It starts at singular vectors, which the seed changes little.
    assert 0 < np.abs(first.values - other.values).max() < 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"n_components": 5}, (1.334, 1.663, 0.329)),
        ({"init": "random"}, (1.919, 2.851, 0.310)),
        ({"beta_loss": "frobenius"}, (1.390, 1.685, 0.366)),
    ],
)
def test_scores_as_measured_with_other_parameters(on_small_rare, chosen, expected):
    np.testing.assert_allclose(on_small_rare(NetnmfscOriginal(**chosen)).mse, expected, rtol=0.05)


@pytest.mark.slow
def test_cells_and_genes_without_counts_come_back_as_zeros(silent_stay_silent):
    silent_stay_silent(NetnmfscOriginal())
