import numpy as np
import pytest
from impbench_plugins.originals.smurf import SmurfOriginal

from impbench import Context, Observed
from impbench.errors import InputError


@pytest.mark.slow
def test_values_as_measured(on_small_rare):
    # Seeds 1, 2, 3 gave 2.024, 1.959, 1.947; 3.027, 2.917, 2.896; 0.346, 0.350, 0.358.
    first, again, other = (on_small_rare(SmurfOriginal(), seed) for seed in (1, 1, 2))
    assert first.mse == pytest.approx([2.0, 3.0, 0.35], rel=0.1)
    assert (first.values == again.values).all()
    assert (first.values != other.values).any()
    assert first.values.min() == 0
    assert first.filled == pytest.approx(0.91, abs=0.02)
    assert first.kept < 0.001


@pytest.mark.slow
def test_cells_without_counts_come_back_as_zeros(impute_where_built):
    imputed = impute_where_built(SmurfOriginal(), Observed.from_counts(counts()))
    assert not imputed.values[3].any()
    assert imputed.values[4].any()


def test_too_few_cells_with_counts_are_refused():
    few = Observed.from_counts(counts()[:20])
    with pytest.raises(
        InputError, match="n_features=20 genes and cells with counts; got 30 and 19"
    ):
        SmurfOriginal().impute(few, Context())


def counts():
    """25 cells, one of them empty, × 30 genes."""
    drawn = np.random.default_rng(0).poisson(2.0, (25, 30))
    drawn[3] = 0
    return drawn
