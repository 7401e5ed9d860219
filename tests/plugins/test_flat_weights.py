"""Buffers of a network's weights: shapes, and where they start."""

import numpy as np
import pytest
from impbench_plugins.shared.flat_weights import averages_of, flat_zeros, zeros_at


def test_parts_are_views_of_one_buffer_in_order():
    flat, (first, second) = flat_zeros([(2, 3), (4,)])
    first[:], second[:] = 1, 2
    assert flat.tolist() == [1] * 6 + [2] * 4
    assert flat.flags.c_contiguous
    assert flat.dtype == np.float32


@pytest.mark.parametrize("size", [1, 1000, 300_000])
def test_what_an_optimiser_reads_side_by_side_starts_in_the_four_quarters_of_a_page(size):
    weights, gradients = (flat_zeros([(size,)], quarter)[0] for quarter in (0, 1))
    averages = averages_of(weights)
    starts = [array.ctypes.data % 4096 for array in (weights, gradients, *averages)]
    assert starts == [0, 1024, 2048, 3072]
    assert [len(array) for array in averages] == [size, size]
    assert not zeros_at(size, 3).any()
