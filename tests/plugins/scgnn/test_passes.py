"""scGNN's compiled passes against plain NumPy, and what a caller keeps of a training."""

import numpy as np
import pytest
import torch
from impbench_plugins.scgnn.network import (
    FeatureAutoencoder,
    add_and_rectify,
    differences,
    mask_and_add_up,
)
from threadpoolctl import threadpool_limits


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return [rng.standard_normal((13, 37)).astype(np.float32) for _ in range(3)]


def test_bias_and_relu_in_one_pass_are_numpys(rows):
    outputs, bias = rows[0], rows[1][0]
    outputs[2, 3] = np.nan
    expected = np.maximum(outputs + bias, 0)
    add_and_rectify(outputs, bias)
    np.testing.assert_array_equal(outputs, expected)


@pytest.mark.parametrize("n_columns", [1, 37])
def test_weighted_differences_are_numpys(rows, n_columns):
    given, x, by = rows
    weights = np.ascontiguousarray(x[:, :n_columns] ** 2)
    differences(given, x, weights, by)
    np.testing.assert_array_equal(by, (given - x) * weights)


def test_what_relu_holds_back_is_left_out_and_summed_up_in_numpys_order(rows):
    by, outputs, _ = rows
    expected, sums = by * (outputs > 0), np.ones(37, np.float32)
    mask_and_add_up(by, outputs, sums)
    np.testing.assert_array_equal(by, expected)
    np.testing.assert_array_equal(sums, expected.sum(axis=0))


def test_first_pass_again_gives_the_same_after_others(rows):
    """Arrays are used again from pass to pass: nothing of an earlier one may show."""
    x = np.abs(rows[0])
    network = FeatureAutoencoder(x, 8, 4, 0.5, torch.Generator().manual_seed(1))
    weights = np.full((13, 1), np.float32(0.1))
    with threadpool_limits(1):
        first = [layer.copy() for layer in network.step(weights)]
        for _ in range(5):
            others = network.step(weights)
        assert not np.array_equal(first[-1], others[-1])
        network.restart()
        for before, again in zip(first, network.step(weights), strict=True):
            np.testing.assert_array_equal(before, again)
