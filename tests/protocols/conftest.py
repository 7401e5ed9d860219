"""Small data sets with everything a protocol may ask for."""

from __future__ import annotations

import numpy as np
import pytest

from impbench.data.dataset import Dataset


@pytest.fixture(scope="module")
def cells() -> Dataset:
    """60 Poisson cells of three types in two batches, over 40 genes of a larger transcriptome."""
    rng = np.random.default_rng(3)
    types = np.repeat(["alpha", "beta", "delta"], 20)
    means = rng.gamma(0.8, 3, (3, 40))[np.unique(types, return_inverse=True)[1]]
    counts = rng.poisson(means * rng.uniform(0.5, 2, (60, 1)))
    return Dataset(
        name="cells",
        counts=counts,
        gene_names=tuple(f"g{j}" for j in range(40)),
        cell_names=tuple(f"{label}-{i}" for i, label in enumerate(types)),
        library_size=counts.sum(axis=1) + rng.poisson(50, 60).astype(float),
        labels=types,
        batch=np.array(["p", "q"] * 30),
    )
