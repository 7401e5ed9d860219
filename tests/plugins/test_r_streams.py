"""R's parallel streams: numbers that R itself printed."""

import numpy as np
from impbench_plugins.shared.r_streams import Stream, biocparallel_stream


def in_r(*numbers: int) -> Stream:
    """R prints the state as signed 32-bit numbers."""
    return Stream(tuple(number % 2**32 for number in numbers))


def test_substreams_are_those_that_bplapply_hands_out():
    # bplapply(1:3, function(i) .Random.seed, BPPARAM = SerialParam()), twice, in a new session.
    first = biocparallel_stream()
    assert first == in_r(-462450791, 658096774, 447189839, 1845164356, -907669643, 1803047346)
    assert first.substream(2) == in_r(
        1830490219, 1461369714, 1911225806, -1780732500, 935043770, -1007454112
    )
    second = first.after(1)
    assert second == in_r(658096774, 447189839, -258029652, -907669643, 1803047346, 799150372)
    assert second.substream(1) == in_r(
        -416431807, 1170643227, -955855970, 1223773319, -962899627, 331528271
    )


def test_streams_are_those_of_next_rng_stream():
    stream = biocparallel_stream().after(1).stream(1)
    assert stream == in_r(-1479554557, -1933854642, 938673046, 1173622266, -115176462, -1010874457)


def test_samples_are_those_of_sample_int():
    # From the second session state: runif(3); sample.int(200, 4), which takes five numbers, as one
    # is not below 200; sample.int(70000, 3).
    after_three = biocparallel_stream().after(4)
    np.testing.assert_array_equal(after_three.samples(200, 4, 1)[0] + 1, [134, 40, 146, 76])
    np.testing.assert_array_equal(
        after_three.after(5).samples(70000, 3, 1), [[42061, 51985, 40614]]
    )


def test_samples_in_a_row_hold_different_numbers_each_and_reach_all():
    drawn = biocparallel_stream().samples(7, 7, 50)
    np.testing.assert_array_equal(np.sort(drawn, axis=1), np.tile(np.arange(7), (50, 1)))
    assert len(np.unique(drawn, axis=0)) > 45
