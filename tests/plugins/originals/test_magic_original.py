import numpy as np
import pytest
from impbench_plugins.magic import Magic
from impbench_plugins.originals.magic import MagicOriginal

from impbench import Context, Observed
from impbench.errors import InputError


@pytest.mark.slow
def test_values_as_measured_and_those_of_ours(on_small_rare):
    # Seeds 1, 2, 3 gave 4.222, 4.213, 4.204; 5.331, 5.321, 5.302; 0.089 three times.
    first, again, other = (on_small_rare(MagicOriginal(), seed) for seed in (1, 1, 2))
    assert first.mse == pytest.approx([4.21, 5.32, 0.089], rel=0.02)
    assert (first.values == again.values).all()
    assert (first.values != other.values).any()
    assert first.values.min() > 0
    ours = Magic().impute(first.observed, Context(seed=1))
    # Bit for bit where the environments hold the same versions.
    assert np.abs(ours.values - first.values).max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("chosen", [{"t": "auto"}, {"solver": "approximate"}, {"n_pca": 20}])
def test_values_are_those_of_ours_with_other_parameters(on_small_rare, chosen):
    theirs = on_small_rare(MagicOriginal(**chosen))
    ours = Magic(**chosen).impute(theirs.observed, Context(seed=1))
    assert np.abs(ours.values - theirs.values).max() < 1e-4


def test_too_few_cells_for_the_neighbours_are_refused():
    observed = Observed.from_counts(np.ones((15, 4)))
    with pytest.raises(InputError, match=r"at least knn_max \+ 1 = 16 cells, got 15"):
        MagicOriginal().impute(observed, Context())
    with pytest.raises(InputError, match="knn_max=3 must be at least knn=4"):
        MagicOriginal(knn=4, knn_max=3)
