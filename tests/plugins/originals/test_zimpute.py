import numpy as np
import pytest
from impbench_plugins.originals.zimpute import ZimputeOriginal

from impbench import Context, Observed
from impbench.errors import InputError


def test_a_rank_beyond_the_data_is_refused():
    with pytest.raises(InputError, match="rank r=4 is more than 3 cells × 5 genes"):
        ZimputeOriginal(r=4).impute(Observed.from_counts(np.ones((3, 5))), Context())


def test_a_median_library_without_counts_is_refused():
    counts = np.zeros((5, 4), dtype=int)
    counts[:2] = 1
    with pytest.raises(InputError, match="more than half of the cells"):
        ZimputeOriginal().impute(Observed.from_counts(counts), Context())


def test_scores_as_measured_where_its_environment_is_built(on_small_rare):
    result = on_small_rare(ZimputeOriginal())
    np.testing.assert_allclose(result.mse, (0.522, 0.561, 2.584), rtol=0.05)
    assert result.kept == 1
    assert 0.95 < result.filled < 1


@pytest.mark.slow
def test_the_seed_decides_where_its_environment_is_built(on_small_rare):
    first, again, other = (on_small_rare(ZimputeOriginal(), seed).values for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
