import numpy as np
import pytest

from impbench.imputer import Imputed, Observed
from impbench.protocols.clustering import Clustering
from impbench.protocols.components import principal_components
from impbench.protocols.protocol import Hidden, Problem
from impbench.protocols.transforms import transformed


@pytest.fixture
def observed():
    return Observed.from_counts(np.random.default_rng(0).poisson(3, (30, 12)))


def by_hand(counts, how):
    """As scanpy's normalize_total and log1p would have it, with another target sum."""
    sizes = counts.sum(axis=1, keepdims=True)
    if how == "sqrt":
        return np.sqrt(counts / sizes * np.median(sizes))
    return np.log1p(counts / sizes * 1e4)


@pytest.mark.parametrize("how", ["log-cp10k", "sqrt"])
@pytest.mark.parametrize("scale", ["counts", "lognorm"])
def test_unimputed_cells_come_out_as_the_formula_says(observed, how, scale):
    values = observed.counts if scale == "counts" else observed.lognorm
    imputed = Imputed(np.asarray(values, dtype=np.float32), scale)
    expected = by_hand(np.asarray(observed.counts, dtype=float), how)
    np.testing.assert_allclose(transformed(imputed, observed, how), expected, rtol=1e-5)


def test_values_below_zero_count_as_zero(observed):
    values = observed.lognorm.copy()
    values[0, 0], values[1, 1] = -3, 0
    for how in ("log-cp10k", "sqrt"):
        found = transformed(Imputed(values, "lognorm"), observed, how)
        assert found[0, 0] == found[1, 1] == 0


def test_log_is_the_contract_to_the_last_bit(observed):
    imputed = Imputed(observed.lognorm - 1, "lognorm")
    assert (transformed(imputed, observed, "log") == imputed.lognorm(observed)).all()


@pytest.mark.parametrize("how", ["log-cp10k", "sqrt"])
def test_cells_are_clustered_on_the_scale_asked_for(observed, how):
    protocol = Clustering(transform=how)
    problem = Problem(observed, Hidden(labels=np.array(["a", "b"] * 15)), ())
    imputed = Imputed(observed.lognorm, "lognorm")
    evidence = protocol.evidence(problem, imputed, 1)
    expected = principal_components(transformed(imputed, observed, how))
    assert (evidence["components"]() == expected).all()
    assert not (expected == Clustering().evidence(problem, imputed, 1)["components"]()).all()


def test_the_record_says_the_scale():
    said = {how: Clustering(transform=how)._convention() for how in ("log", "log-cp10k", "sqrt")}
    assert "imputed log2 values" in said["log"]
    assert "ln(1 + counts per 10 000)" in said["log-cp10k"]
    assert "square roots" in said["sqrt"]
