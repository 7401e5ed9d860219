import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from impbench import scale

counts_with_cells = arrays(np.int64, (6, 5), elements=st.integers(0, 500)).map(
    lambda counts: counts + np.eye(6, 5, dtype=np.int64) + (np.arange(6) == 5)[:, None]
)
"""Six cells of five genes, none of them empty."""


def _own(counts):
    return scale.size_factors(scale.library_sizes(counts))


def test_worked_example():
    counts = np.array([[1, 3], [0, 8], [2, 14]])
    np.testing.assert_array_equal(scale.library_sizes(counts), [4, 8, 16])
    np.testing.assert_array_equal(_own(counts), [0.5, 1, 2])
    np.testing.assert_allclose(scale.normalise(counts, _own(counts)), [[2, 6], [0, 8], [1, 7]])
    expected = np.log2([[3, 7], [1, 9], [2, 8]])
    np.testing.assert_allclose(scale.lognorm(counts, _own(counts)), expected, rtol=1e-6)


@given(counts_with_cells)
def test_median_size_factor_is_one_and_factors_are_proportional_to_library_sizes(counts):
    sizes = scale.library_sizes(counts)
    factors = scale.size_factors(sizes)
    assert np.median(factors) == pytest.approx(1)
    np.testing.assert_allclose(factors * np.median(sizes), sizes)


@given(counts_with_cells, st.integers(0, 5), st.integers(2, 9))
def test_sequencing_one_cell_deeper_changes_log_values_only_through_the_median(counts, cell, times):
    deeper = counts.copy()
    deeper[cell] *= times
    before, after = _own(counts), _own(deeper)
    # Undo the shift of the median: then the deeper cell's own values are the same as before.
    shift = np.median(scale.library_sizes(deeper)) / np.median(scale.library_sizes(counts))
    np.testing.assert_allclose(
        scale.lognorm(deeper, after * shift), scale.lognorm(counts, before), rtol=1e-5, atol=1e-6
    )


@given(counts_with_cells, st.integers(2, 9))
def test_sequencing_every_cell_deeper_scales_the_normalised_counts(counts, times):
    np.testing.assert_allclose(_own(counts * times), _own(counts))
    np.testing.assert_allclose(
        scale.normalise(counts * times, _own(counts * times)),
        scale.normalise(counts, _own(counts)) * times,
        rtol=1e-5,
    )


@given(
    arrays(np.float32, (4, 3), elements=st.floats(0, 1e6, width=32)),
    arrays(np.float64, 4, elements=st.floats(1e-3, 1e3)),
)
def test_counts_from_lognorm_inverts_lognorm(counts, factors):
    back = scale.counts_from_lognorm(scale.lognorm(counts, factors), factors)
    # Near zero 2^x − 1 keeps the last bits of log2(1 + x) only up to the size factor.
    np.testing.assert_allclose(back, counts, rtol=1e-4, atol=1e-6)


@given(counts_with_cells)
def test_dense_and_sparse_counts_give_the_same_values(counts):
    for matrix in (sp.csr_matrix(counts), sp.csr_array(counts), sp.csc_matrix(counts)):
        np.testing.assert_array_equal(scale.library_sizes(matrix), scale.library_sizes(counts))
        np.testing.assert_array_equal(
            scale.lognorm(matrix, _own(matrix)), scale.lognorm(counts, _own(counts))
        )


def test_sparse_logs_share_nothing_with_the_counts():
    """Zeros and duplicates among the stored entries, too: whoever drops them drops them there."""
    parts = (np.array([0.0, 2.0, 1.0, 3.0]), np.array([0, 1, 2, 2]), np.array([0, 2, 4]))
    counts = sp.csr_matrix(parts, shape=(2, 3))
    before = [part.copy() for part in (counts.data, counts.indices, counts.indptr)]
    logs = scale.sparse_lognorm(counts, np.ones(2))
    logs.eliminate_zeros()
    np.testing.assert_allclose(logs.toarray(), np.log2([[1, 3, 1], [1, 1, 5]]), rtol=1e-6)
    for part, old in zip((counts.data, counts.indices, counts.indptr), before, strict=True):
        np.testing.assert_array_equal(part, old)
    np.testing.assert_array_equal(scale.lognorm(counts, np.ones(2)), logs.toarray())


def test_empty_cells_get_factor_one_and_stay_empty_and_leave_the_median_alone():
    counts = np.array([[0, 0], [2, 2], [4, 4]])
    np.testing.assert_allclose(_own(counts), [1, 4 / 6, 8 / 6])
    np.testing.assert_array_equal(scale.lognorm(counts, _own(counts))[0], [0, 0])
    np.testing.assert_array_equal(scale.size_factors(np.zeros(3)), [1, 1, 1])
    np.testing.assert_array_equal(scale.size_factors(np.array([np.nan, 3, np.inf])), [1, 1, 1])


def test_zero_stays_exactly_zero_and_everything_else_is_above():
    counts = np.array([[0, 1], [1, 0]])
    log = scale.lognorm(counts, np.array([1e4, 1e-4]))
    np.testing.assert_array_equal(log == 0, counts == 0)


def test_negative_counts_of_a_method_are_clipped_before_the_log_and_after_it():
    assert scale.lognorm(np.array([[-3.0]]), np.ones(1)) == 0
    assert scale.counts_from_lognorm(np.array([[-3.0]], dtype=np.float32), np.ones(1)) == 0


def test_results_are_float32_and_inputs_are_not_touched():
    counts, factors = np.array([[1.5, 2.5]], dtype=np.float32), np.array([2.0])
    for function in (scale.normalise, scale.lognorm, scale.counts_from_lognorm):
        assert function(counts, factors).dtype == np.float32
    assert scale.lognorm(sp.csr_matrix(counts), factors).dtype == np.float32
    np.testing.assert_array_equal(counts, [[1.5, 2.5]])


def test_log_values_of_a_large_sparse_matrix_take_little_more_than_themselves():
    counts = sp.random(4000, 500, density=0.05, format="csr", random_state=0, dtype=np.float64)
    tracemalloc.start()
    try:
        log = scale.lognorm(counts, np.ones(4000))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.5 * log.nbytes
