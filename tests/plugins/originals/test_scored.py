import numpy as np
import pytest
from impbench_plugins.originals.scored import ScoredOriginal

from impbench import Context, Observed
from impbench.errors import InputError
from impbench.runner.separate_process import ImputationError, impute_apart


def test_cells_without_counts_in_common_genes_are_not_counted():
    counts = np.diag(np.ones(9, dtype=int))
    counts[:3, 0] = 1
    with pytest.raises(InputError, match=r"at least 4 cells .* got 3"):
        ScoredOriginal().impute(Observed.from_counts(counts), Context())


def test_more_cells_than_memory_holds_are_refused():
    observed = Observed.from_counts(np.ones((1000, 4), dtype=int))
    with pytest.raises(InputError, match="between all pairs of 1000 cells"):
        ScoredOriginal().impute(observed, Context(memory=10**6))


@pytest.mark.slow
def test_scores_as_measured_where_its_environment_is_built(on_small_rare):
    result = on_small_rare(ScoredOriginal())
    np.testing.assert_allclose(result.mse, (1.613, 2.712, 0.182), rtol=0.05)
    assert result.kept < 0.01
    assert result.filled > 0.99


@pytest.mark.slow
def test_what_takes_no_part_comes_back_as_observed_where_its_environment_is_built(needs_built):
    needs_built(ScoredOriginal)
    counts = np.random.default_rng(0).poisson(2, (30, 20)) + 1
    counts[:, 0] = 0
    counts[4:] *= np.arange(20) != 1
    counts[2:, 2] = 0
    counts[7] = 0
    counts[8] = 0
    counts[1, 2] = 5
    observed = Observed.from_counts(counts)
    imputed = impute_apart(ScoredOriginal(), observed, Context()).imputed
    imputed.check(observed)
    expression = imputed.counts(observed)
    assert np.array_equal(expression[[7, 8]], counts[[7, 8]])
    assert np.array_equal(expression[:, [0, 2]], counts[:, [0, 2]])
    assert not np.array_equal(expression[:, 1], counts[:, 1])


@pytest.mark.slow
def test_too_few_cells_for_its_components_where_its_environment_is_built(needs_built):
    needs_built(ScoredOriginal)
    observed = Observed.from_counts(np.random.default_rng(0).poisson(2, (30, 60)) + 1)
    with pytest.raises(ImputationError, match="n_pcs=40 principal components"):
        impute_apart(ScoredOriginal(), observed, Context())
