"""What published packages return for one small dataset, where their environments are built."""

from dataclasses import dataclass
from pathlib import Path

import anndata
import numpy as np
import pytest

from impbench import Context, Observed
from impbench.environments import environments, interpreters
from impbench.runner.separate_process import impute_apart

SMALL = Path(__file__).parents[2] / "data" / "inputs" / "small_rare.h5ad"


@dataclass(frozen=True)
class OnSmallRare:
    """One answer for 200 cells × 300 genes, and its errors on the scale log2(1 + normalised)."""

    observed: Observed
    values: np.ndarray
    info: dict
    kept: float
    """Which part of the observed counts came back."""
    mse: np.ndarray
    """Overall, of dropouts, of biological zeros."""

    @property
    def zeros(self):
        return self.observed.dense_counts == 0

    @property
    def filled(self):
        return float((self.values[self.zeros] > 0).mean())


@pytest.fixture
def needs_built():
    """Return a function that skips the test unless a method's environment is built."""
    return skip_unless_built


@pytest.fixture
def impute_where_built():
    """Return a function that imputes in a method's own environment; it skips, and never builds."""

    def impute(imputer, observed, seed=1):
        skip_unless_built(type(imputer))
        imputed = impute_apart(imputer, observed, Context(seed=seed)).imputed
        imputed.check(observed)
        return imputed

    return impute


@pytest.fixture
def on_small_rare(impute_where_built):
    """Return a function that imputes small_rare, where an environment is built for that."""
    cells = anndata.read_h5ad(SMALL)
    counts, truth = (m.toarray() for m in (cells.X, cells.layers["true_counts"]))
    observed, true = Observed.from_counts(counts), Observed.from_counts(truth).lognorm
    dropout, biozero = (counts == 0) & (truth > 0), truth == 0

    def measure(imputer, seed=1):
        imputed = impute_where_built(imputer, observed, seed)
        error = (imputed.lognorm(observed) - true) ** 2
        mse = np.array([error[where].mean() for where in (..., dropout, biozero)])
        kept = float(np.isclose(imputed.counts(observed), counts, rtol=1e-4)[counts > 0].mean())
        return OnSmallRare(observed, np.asarray(imputed.values), imputed.info, kept, mse)

    return measure


def skip_unless_built(imputer):
    wish = environments.Wish.of(imputer)
    built = environments.cached()
    if wish.requires in [found.requires for found in built]:  # else no look for an interpreter
        key = wish.key(interpreters.find_interpreter(wish.python))
        if key in [found.key for found in built]:
            return
    pytest.skip(f"not built here: impbench env build {imputer.name}")


@pytest.fixture
def silent_stay_silent(impute_where_built):
    """Return a function that checks that cells and genes without counts come back as zeros."""

    def check(imputer):
        counts = np.random.default_rng(0).poisson(2.0, (25, 30))
        counts[3], counts[:, 5] = 0, 0
        values = impute_where_built(imputer, Observed.from_counts(counts)).values
        assert not values[3].any()
        assert not values[:, 5].any()
        assert values[4].any()

    return check
