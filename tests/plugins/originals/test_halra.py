import numpy as np
import pytest
from impbench_plugins.originals.halra import HalraOriginal

from impbench import Context, Observed
from impbench.errors import InputError


@pytest.mark.parametrize("shape", [(100, 120), (120, 100)])
def test_too_few_to_choose_a_rank_is_refused(shape):
    observed = Observed.from_counts(np.ones(shape, dtype=int))
    with pytest.raises(InputError, match="more than 100 cells and 100 genes"):
        HalraOriginal().impute(observed, Context())


def test_genes_and_cells_without_counts_do_not_help():
    counts = np.ones((110, 110), dtype=int)
    counts[:10] = 0
    with pytest.raises(InputError, match="got 100 and 110"):
        HalraOriginal().impute(Observed.from_counts(counts), Context())


@pytest.mark.slow
def test_scores_as_measured_where_its_environment_is_built(on_small_rare):
    result = on_small_rare(HalraOriginal())
    np.testing.assert_allclose(result.mse, (3.260, 5.718, 0.924), rtol=0.05)
    # Its README promises that observed values are restored; most are replaced.
    assert result.kept < 0.1
    assert 0.4 < result.filled < 0.6


@pytest.mark.slow
def test_the_seed_decides_where_its_environment_is_built(on_small_rare):
    first, again, other = (on_small_rare(HalraOriginal(), seed).values for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
