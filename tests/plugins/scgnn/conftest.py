import numpy as np
import pytest

from impbench import Observed


@pytest.fixture(scope="module")
def grouped():
    """Three clear groups, 36 cells and 20 genes; a third of the entries zeroed."""
    rng = np.random.default_rng(5)
    counts = rng.poisson(rng.gamma(2.0, 4.0, (3, 20))[np.repeat(np.arange(3), 12)])
    counts[rng.random(counts.shape) < 0.33] = 0
    return Observed.from_counts(counts)
