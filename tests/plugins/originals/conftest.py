"""What an adapter does to small_rare, in its own environment where that is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pytest
from numpy.typing import NDArray

from impbench import Context, Imputed, Imputer, Observed
from impbench.environments import environments
from impbench.runner.separate_process import impute_apart

SMALL_RARE = Path(__file__).parents[2] / "data" / "inputs" / "small_rare.h5ad"


@dataclass(frozen=True)
class OnSmallRare:
    """An imputation of small_rare, with MSE, dropout-MSE and biozero-MSE of its log2 values."""

    imputed: Imputed
    values: NDArray[np.float32]
    mse: NDArray[np.float64]
    kept: float
    filled: float


@pytest.fixture
def on_small_rare() -> Callable[..., OnSmallRare]:
    """Return what imputes small_rare; it skips where the environment is not built."""
    return _impute


def _impute(imputer: Imputer, seed: int = 1, **observed_as: Any) -> OnSmallRare:
    wish = environments.Wish.of(type(imputer))
    assert wish is not None
    if wish.requires not in [found.requires for found in environments.cached()]:
        pytest.skip(f"not built here: impbench env build {imputer.name}")
    cells = anndata.read_h5ad(SMALL_RARE)
    counts, truth = (m.toarray() for m in (cells.X, cells.layers["true_counts"]))
    observed = Observed.from_counts(counts, **observed_as)
    imputed = impute_apart(imputer, observed, Context(seed=seed)).imputed
    imputed.check(observed)
    values = imputed.lognorm(observed)
    error = (values - Observed.from_counts(truth).lognorm) ** 2
    dropout, biozero = (counts == 0) & (truth > 0), truth == 0
    return OnSmallRare(
        imputed,
        values,
        np.array([error.mean(), error[dropout].mean(), error[biozero].mean()]),
        kept=float(np.isclose(imputed.counts(observed), counts, rtol=1e-4)[counts > 0].mean()),
        filled=float((values[counts == 0] > 0).mean()),
    )
