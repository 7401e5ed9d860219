import numpy as np
import pytest
from impbench_plugins.originals.adaptive_kernel import AdaptiveKernelOriginal

from impbench import Context, Observed
from impbench.errors import InputError


def test_one_cell_cannot_be_left_out():
    one = Observed.from_counts(np.ones((1, 5)))
    with pytest.raises(InputError, match="needs at least 2 cells, got 1"):
        AdaptiveKernelOriginal(exclude_self=True).impute(one, Context())


def test_what_does_not_fit_into_memory_is_refused():
    observed = Observed.from_counts(np.ones((100, 50)))
    with pytest.raises(InputError, match="100 cells and the 15 nearest of each"):
        AdaptiveKernelOriginal().impute(observed, Context(memory=10_000))


@pytest.mark.slow
def test_scores_as_measured_where_its_environment_is_built(on_small_rare):
    result, again = (on_small_rare(AdaptiveKernelOriginal(), seed) for seed in (1, 2))
    np.testing.assert_allclose(result.mse, (4.905, 8.304, 0.050), rtol=0.02)
    assert np.array_equal(result.values, again.values), "it draws no random numbers"
    assert result.kept < 0.001
    assert result.filled == pytest.approx(0.814, abs=0.01)
    assert result.values.min() == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"exclude_self": True}, (4.823, 7.963, 0.055)),
        ({"alpha": 0.0}, (4.471, 6.349, 0.102)),
        ({"k": 1}, (8.088, 15.491, 0.0)),  # its own nearest cell: nothing changes
    ],
)
def test_scores_as_measured_with_other_parameters(on_small_rare, chosen, expected):
    result = on_small_rare(AdaptiveKernelOriginal(**chosen))
    np.testing.assert_allclose(result.mse, expected, rtol=0.02)


@pytest.mark.slow
def test_a_cell_without_counts_gets_those_of_cells_it_has_nothing_to_do_with(impute_where_built):
    counts = np.random.default_rng(0).poisson(2.0, (25, 30))
    counts[3] = 0
    values = impute_where_built(AdaptiveKernelOriginal(), Observed.from_counts(counts)).values
    assert values[3].any()
