import numpy as np
import pytest
from impbench_plugins.originals.iimpute import IImputeOriginal

from impbench import Context, Observed
from impbench.errors import InputError


def test_a_single_cell_with_counts_is_refused():
    counts = np.zeros((4, 5), dtype=int)
    counts[2] = 1
    with pytest.raises(InputError, match="at least 2 cells with counts; got 1"):
        IImputeOriginal().impute(Observed.from_counts(counts), Context())


def test_scores_as_measured_where_its_environment_is_built(on_small_rare):
    result = on_small_rare(IImputeOriginal())
    np.testing.assert_allclose(result.mse, (6.165, 11.803, 0.0108), rtol=0.05)
    assert result.kept == 1
    assert 0.8 < result.filled < 0.9


def test_counts_as_they_are_score_as_measured_where_its_environment_is_built(on_small_rare):
    result = on_small_rare(IImputeOriginal(normalize=False))
    np.testing.assert_allclose(result.mse, (2.601, 4.716, 1.559), rtol=0.05)
    assert result.kept == 1
    assert 0.6 < result.filled < 0.7
