import numpy as np
import pytest
from impbench_plugins.originals.bipca import BipcaOriginal

from impbench import Context, Observed
from impbench.errors import InputError


def test_too_few_cells_or_genes_with_counts_are_refused():
    counts = np.zeros((5, 4))
    counts[2] = 1
    with pytest.raises(InputError, match="at least 2 cells and 2 genes with counts; got 1 and 4"):
        BipcaOriginal().impute(Observed.from_counts(counts), Context())


@pytest.mark.slow
def test_scores_as_measured_where_its_environment_is_built(on_small_rare):
    result, again, other = (on_small_rare(BipcaOriginal(), seed) for seed in (1, 1, 2))
    np.testing.assert_allclose(result.mse, (1.752, 2.512, 0.288), rtol=0.02)
    assert result.kept < 0.001
    assert result.filled == pytest.approx(0.974, abs=0.005)
    assert result.values.min() == 0
    assert result.info == {"rank": 3}
    assert np.array_equal(result.values, again.values)
    # NumPy's global numbers start a decomposition that comes to the same end.
    assert np.abs(result.values - other.values).max() < 1e-6
    # They are counts: without library_normalize=False all cells would have the median sum.
    total = result.values.sum(axis=1)
    library = result.observed.dense_counts.sum(axis=1)
    assert total.std() > 0.5 * library.std()
    assert 0.74 < (total / library).min() < (total / library).max() < 1.24


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"n_components": 10}, (1.750, 2.501, 0.288)),
        ({"shrinker": "soft"}, (1.994, 2.696, 0.217)),
    ],
)
def test_scores_as_measured_with_other_parameters(on_small_rare, chosen, expected):
    np.testing.assert_allclose(on_small_rare(BipcaOriginal(**chosen)).mse, expected, rtol=0.02)


@pytest.mark.slow
def test_cells_and_genes_without_counts_come_back_as_zeros(silent_stay_silent):
    silent_stay_silent(BipcaOriginal())
