import numpy as np
import pytest
from impbench_plugins.originals.sanity import SanityOriginal

from impbench import Context, Observed
from impbench.errors import InputError


def test_data_without_counts_are_refused():
    with pytest.raises(InputError, match="needs cells with counts; got none"):
        SanityOriginal().impute(Observed.from_counts(np.zeros((3, 4))), Context())


def test_a_range_of_variances_that_holds_none_is_refused():
    with pytest.raises(InputError, match=r"vmin=2\.0 must be below vmax=1\.0"):
        SanityOriginal(vmin=2.0, vmax=1.0).impute(Observed.from_counts(np.ones((3, 4))), Context())


@pytest.mark.slow
def test_scores_as_measured_where_its_environment_is_built(on_small_rare):
    result, again = (on_small_rare(SanityOriginal(), seed) for seed in (1, 2))
    np.testing.assert_allclose(result.mse, (7.013, 13.425, 0.0097), rtol=0.02)
    assert (result.values == again.values).all(), "it draws no random numbers"
    assert result.filled == 1
    # Zeros become small counts, and observed ones, though nearly all change, do so by 1 %.
    assert np.median(result.values[result.zeros]) == pytest.approx(0.148, abs=0.01)
    assert 0.005 < result.kept < 0.02
    counts = result.observed.dense_counts
    change = np.abs(result.values - counts)[counts > 0] / counts[counts > 0]
    assert np.median(change) == pytest.approx(0.0087, abs=0.001)
    # Its README promises that the shares of a cell add up to 1.
    total = result.values.sum(axis=1) / counts.sum(axis=1)
    assert (total.min(), total.max()) == pytest.approx((0.9976, 1.0041), abs=5e-4)


@pytest.mark.slow
def test_the_mean_is_closer_to_the_true_counts_than_the_median(on_small_rare):
    result = on_small_rare(SanityOriginal(estimate="mean"))
    np.testing.assert_allclose(result.mse, (5.691, 10.858, 0.216), rtol=0.02)


@pytest.mark.slow
def test_error_bars_are_wide_where_there_was_no_count(impute_where_built):
    observed = Observed.from_counts(counts())
    imputed = impute_where_built(SanityOriginal(), observed)
    used = observed.dense_counts.any(axis=1)[:, None] & observed.dense_counts.any(axis=0)
    assert not imputed.values[~used].any()
    assert not imputed.std[~used].any()
    assert (imputed.std[used] > 0).all()
    relative = imputed.std[used] / imputed.values[used]
    zero = observed.dense_counts[used] == 0
    assert relative[zero].min() > relative[~zero].mean()


def counts():
    """40 cells × 30 genes; one of each is empty."""
    generator = np.random.default_rng(0)
    drawn = generator.poisson(generator.gamma(0.5, 20, (40, 30)))
    drawn[3], drawn[:, 5] = 0, 0
    return drawn
