"""Draws that equal R's; the expected numbers were printed by R 4.2.2."""

import numpy as np
import pytest
from impbench_plugins.shared.r_random import Draws, Normals, Samples, permutation

PRINTED = {
    1: ([-0.8356286124100472, -0.8204683841180153, 0.4874290524284853], [0, 3, 7, 1, 5, 2, 6, 4]),
    42: ([0.3631284113373392, -0.1061245160914840, 1.5115219974389389], [0, 4, 7, 5, 1, 3, 2, 6]),
    2**31 - 1: (
        [1.59238663800399149, -1.90787041782001765, 0.08487509733211063],
        [6, 5, 0, 3, 2, 7, 4, 1],
    ),
}


@pytest.mark.parametrize("seed", PRINTED)
def test_normal_matrices_are_filled_and_the_stream_goes_on_as_in_r(seed):
    normals = Normals(seed)
    last_row = normals.normal(size=(3, 2))[2]
    np.testing.assert_allclose([*last_row, normals.normal()], PRINTED[seed][0], rtol=1e-13)


@pytest.mark.parametrize("seed", PRINTED)
def test_permutations_are_rs(seed):
    assert permutation(seed, 8).tolist() == PRINTED[seed][1]


def test_samples_go_on_along_the_stream_as_in_r():
    samples = Samples(1)
    assert (samples.sample(200, 5) + 1).tolist() == [68, 167, 129, 162, 43]
    assert (samples.sample(200, 3) + 1).tolist() == [14, 187, 51]
    assert (samples.sample(70_000, 4) + 1).tolist() == [25173, 32618, 13903, 8229]
    assert (samples.sample(3, 3) + 1).tolist() == [1, 3, 2]


def test_normal_exponential_and_uniform_numbers_come_from_one_stream_as_in_r():
    draws = Draws(123)
    np.testing.assert_allclose(
        draws.normals(2), [-0.56047564655221260, -0.23017748948327996], rtol=1e-13
    )
    exponentials = [0.031577359108311928, 0.316501216377709782, 0.314227292215297216]
    exponentials += [0.145266803912818432, 2.726236464329696130, 0.029153447082572552]
    np.testing.assert_allclose(draws.exponentials(6), exponentials, rtol=1e-13)
    np.testing.assert_allclose(draws.uniforms(2), [0.32792071928270161, 0.95450364914722741])
    np.testing.assert_allclose(draws.normals(1), 1.2240817974394615, rtol=1e-13)
