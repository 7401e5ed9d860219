"""What is hidden comes back whole, and lies nowhere."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from impbench.protocols.protocol import Hidden
from impbench.scoring.truth_file import conceal, reveal

COUNTS = np.random.default_rng(0).poisson(1.0, (30, 20))


@pytest.mark.parametrize("truth", [COUNTS, sp.csr_matrix(COUNTS), None])
def test_hidden_comes_back_whole_and_leaves_no_file(tmp_path: Path, truth: object) -> None:
    factors = None if truth is None else np.linspace(0.5, 2, 30)
    labels = np.array(["T", "β"] * 15)
    descriptor = conceal(Hidden(truth, factors, labels), tmp_path)  # type: ignore[arg-type]
    try:
        assert not list(tmp_path.iterdir())
        back = reveal(descriptor)
    finally:
        os.close(descriptor)
    assert back.batch is None
    assert back.labels is not None
    assert np.array_equal(back.labels, labels)
    if truth is None:
        assert back.truth() is None
    else:
        assert sp.issparse(back.truth_counts) == sp.issparse(truth)
        assert np.array_equal(sp.csr_matrix(back.truth_counts).toarray(), COUNTS)
        assert np.array_equal(back.truth_size_factors, factors)


def test_several_readers_do_not_disturb_each_other(tmp_path: Path) -> None:
    descriptor = conceal(Hidden(COUNTS, np.ones(30)), tmp_path)
    try:
        with ThreadPoolExecutor(8) as pool:
            read = list(pool.map(lambda _: reveal(descriptor).truth_counts, range(40)))
    finally:
        os.close(descriptor)
    assert all(np.array_equal(truth, COUNTS) for truth in read)
