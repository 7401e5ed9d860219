"""Random numbers as PyTorch draws them on a CPU."""

import numpy as np
import pytest
import torch
from impbench_plugins.shared.torch_random import TorchRandom


@pytest.mark.parametrize("seed", [0, 5, 2**40 + 3])
def test_draws_are_pytorchs_to_the_last_bit_in_any_order(seed):
    theirs, ours = torch.Generator().manual_seed(seed), TorchRandom(seed)
    # Shapes that are no divisors of the 624 words of the generator's state.
    for shape, chance in (((7, 3), 0.5), ((201,), 1 - 0.9), ((40, 31), 0.0), ((90, 11), 1.0)):
        drawn = torch.empty(shape).uniform_(-0.3, 0.3, generator=theirs)
        np.testing.assert_array_equal(ours.uniform(shape, 0.3), drawn)
        ones = torch.empty(50, 29).bernoulli_(chance, generator=theirs).numpy()
        starts, columns = ours.successes(50, 29, chance)
        np.testing.assert_array_equal(np.diff(starts), ones.sum(axis=1))
        np.testing.assert_array_equal(columns, np.nonzero(ones)[1])
