"""Simulated data with truth, and what the MaskClass authors' own code made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from impbench import Observed, scale

DATA = Path(__file__).parents[2] / "data" / "maskclass"


@dataclass(frozen=True)
class Case:
    """One simulated data set, observed and true both over the true library sizes."""

    observed: Observed
    truth: NDArray[np.float32]
    arrays: dict[str, NDArray]

    def mse_splits(self, expression: NDArray) -> NDArray[np.float64]:
        """MSE over all entries, over dropouts, and over biological zeros."""
        error = np.square(expression - self.truth, dtype=np.float64)
        dropout = (self.observed.lognorm == 0) & (self.truth > 0)
        return np.array([error.mean(), error[dropout].mean(), error[self.truth == 0].mean()])


@pytest.fixture(scope="session")
def case() -> Callable[[str], Case]:
    """Load a data set by name."""

    def load(name: str) -> Case:
        with np.load(DATA / f"{name}.npz") as file:
            arrays = dict(file)
        true = arrays["true_counts"].astype(np.float64)
        factors = scale.size_factors(scale.library_sizes(true))
        observed = Observed.from_counts(arrays["counts"].astype(np.int64), size_factors=factors)
        return Case(observed, scale.lognorm(true, factors), arrays)

    return load


@pytest.fixture(scope="session")
def authors_scores() -> Callable[[str, str], NDArray]:
    """MSE splits of the authors' code, (3 seeds, 3 splits), batch 32 on a CPU."""
    table = pd.read_csv(DATA / "scores.csv")

    def scores(dataset: str, imputer: str) -> NDArray:
        rows = table[(table.dataset == dataset) & (table.imputer == imputer)]
        return rows[["mse", "dropout_mse", "biozero_mse"]].to_numpy()

    return scores
