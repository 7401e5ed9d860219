import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from impbench_plugins.controls import (
    GeneMean,
    NoImputation,
    NonzeroMean,
    Permuted,
    PrincipalComponents,
)

from impbench.context import Context
from impbench.imputer import Observed

# Size factors of 1, so that log2(1 + count) can be read off: 0, 1, 3 and 7 give 0, 1, 2 and 3.
COUNTS = np.array([[1, 0, 0], [3, 7, 0], [0, 0, 0], [0, 1, 0]])


@pytest.fixture
def observed():
    return Observed.from_counts(COUNTS, size_factors=np.ones(4))


def test_no_imputation_returns_observed_values_in_an_array_of_its_own(observed):
    imputed = NoImputation().impute(observed, Context())
    np.testing.assert_array_equal(imputed.expression, [[1, 0, 0], [2, 3, 0], [0, 0, 0], [0, 1, 0]])
    assert not np.shares_memory(imputed.expression, observed.lognorm)


def test_gene_mean_fills_zeros_with_mean_over_all_cells_zeros_included(observed):
    imputed = GeneMean().impute(observed, Context())
    expected = [[1, 1, 0], [2, 3, 0], [0.75, 1, 0], [0.75, 1, 0]]
    np.testing.assert_allclose(imputed.expression, expected)


def test_nonzero_mean_fills_zeros_with_mean_over_nonzeros_and_leaves_silent_genes(observed):
    imputed = NonzeroMean().impute(observed, Context())
    expected = [[1, 2, 0], [2, 3, 0], [1.5, 2, 0], [1.5, 1, 0]]
    np.testing.assert_allclose(imputed.expression, expected)


def test_means_are_taken_on_the_log_of_size_factor_normalised_counts():
    observed = Observed.from_counts([[2], [12], [0]], size_factors=[2, 4, 1])
    np.testing.assert_allclose(NonzeroMean().impute(observed, Context()).expression[2], 1.5)
    np.testing.assert_allclose(GeneMean().impute(observed, Context()).expression[2], 1.0)


@given(arrays(np.int64, (7, 4), elements=st.integers(0, 50)), st.integers(0, 2**32 - 1))
def test_permuted_keeps_each_genes_values_and_follows_its_seed(counts, seed):
    observed = Observed.from_counts(counts)
    first = Permuted().impute(observed, Context(seed=seed)).expression
    np.testing.assert_array_equal(np.sort(first, axis=0), np.sort(observed.lognorm, axis=0))
    again = Permuted().impute(observed, Context(seed=seed)).expression
    np.testing.assert_array_equal(first, again)


def test_permuted_shuffles_genes_independently_and_differently_per_seed():
    observed = Observed.from_counts(np.tile(np.arange(200)[:, None], (1, 2)), np.ones(200))
    one = Permuted().impute(observed, Context(seed=1)).expression
    two = Permuted().impute(observed, Context(seed=2)).expression
    assert not np.array_equal(one[:, 0], one[:, 1])
    assert not np.array_equal(one, two)


def test_permuted_is_numpys_permutation_of_every_column():
    observed = Observed.from_counts(np.random.default_rng(0).poisson(1, (50, 75)))
    expected = np.random.default_rng(4).permuted(observed.lognorm, axis=0)
    found = Permuted().impute(observed, Context(seed=4)).expression
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("control", [NoImputation, GeneMean, NonzeroMean, Permuted])
def test_every_control_meets_the_contract_and_leaves_its_input_alone(control, observed):
    before = observed.lognorm.copy()
    imputed = control().impute(observed, Context(seed=3))
    imputed.check(observed)
    assert control.is_control
    assert imputed.expression.dtype == np.float32
    np.testing.assert_array_equal(observed.lognorm, before)
    if control.keeps_observed:
        seen = COUNTS > 0
        np.testing.assert_array_equal(imputed.expression[seen], before[seen])


def test_principal_components_hold_the_distances_between_cells_in_as_many_as_asked():
    counts = np.random.default_rng(3).poisson(2.0, (30, 12))
    observed = Observed.from_counts(counts)
    imputed = PrincipalComponents().impute(observed, Context())
    imputed.check(observed)
    assert imputed.expression is None
    # All 12 there are: nothing is lost but the mean.
    centred = observed.lognorm - observed.lognorm.mean(axis=0)
    np.testing.assert_allclose(
        imputed.embedding @ imputed.embedding.T, centred @ centred.T, atol=1e-4
    )
    few = PrincipalComponents(n_components=3).impute(observed, Context()).embedding
    np.testing.assert_allclose(few, imputed.embedding[:, :3], atol=1e-5)
