"""The logarithm and the normalisation that were applied are found from the values alone."""

from __future__ import annotations

import math
from typing import Any

import anndata
import numpy as np
import pytest
import scanpy
import scipy.sparse as sp

from impbench.inspection.logarithm import recover

N_CELLS, N_GENES = 60, 300


def draw(seed: int = 0, mean: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rates = rng.gamma(0.4, mean * 2.5, N_GENES) * rng.lognormal(0, 0.5, (N_CELLS, 1))
    counts = rng.poisson(rates).astype(np.float32)
    counts[:, 0] += 1
    return counts


def normalised(counts: np.ndarray, total: float | None) -> np.ndarray:
    sizes = counts.sum(axis=1, keepdims=True)
    return (counts * ((np.median(sizes) if total is None else total) / sizes)).astype(np.float32)


LOGS: dict[float, Any] = {
    math.e: np.log1p,
    2.0: lambda x: np.log2(1 + x),
    10.0: lambda x: np.log10(1 + x),
}


@pytest.mark.parametrize("base", LOGS, ids=["ln", "log2", "log10"])
@pytest.mark.parametrize("total", [1e4, 1e6, 1.0, None], ids=["1e4", "1e6", "1", "median"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_base_and_target_sum_are_recovered(base: float, total: float | None, dtype: Any) -> None:
    counts = draw()
    values = sp.csr_matrix(LOGS[base](normalised(counts, total)).astype(dtype))
    found = recover(values)
    assert found is not None
    assert found.base == base
    assert found.exact
    assert found.all_genes
    expected = np.median(counts.sum(axis=1)) if total is None else total
    assert found.target_sum == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("base", LOGS, ids=["ln", "log2", "log10"])
@pytest.mark.parametrize("total", [1e4, 1e6])
def test_both_are_recovered_after_genes_were_left_out(base: float, total: float) -> None:
    values = LOGS[base](normalised(draw(mean=2.0), total))[:, :80]
    found = recover(sp.csr_matrix(values))
    assert found is not None
    assert (found.base, found.target_sum, found.all_genes) == (base, total, False)
    assert found.exact


def test_a_sum_that_cannot_be_known_is_not_guessed() -> None:
    values = np.log1p(normalised(draw(mean=2.0), 5231.7))[:, :80]
    found = recover(sp.csr_matrix(values))
    assert found is not None
    assert (found.base, found.target_sum) == (math.e, None)


@pytest.mark.slow
@pytest.mark.parametrize("base", [None, 2.0, math.e])
def test_what_scanpy_makes_is_recognised(base: float | None) -> None:
    data = anndata.AnnData(sp.csr_matrix(draw()))
    scanpy.pp.normalize_total(data, target_sum=1e4)
    scanpy.pp.log1p(data, base=base)
    found = recover(sp.csr_matrix(data.X))
    assert found is not None
    assert (found.base, found.exact) == (base or math.e, True)
    assert found.target_sum == pytest.approx(1e4, rel=1e-4)


def test_normalised_counts_without_a_logarithm() -> None:
    found = recover(sp.csr_matrix(normalised(draw(), 1e4)))
    assert found is not None
    assert (found.base, found.exact) == (None, True)
    assert found.target_sum == pytest.approx(1e4, rel=1e-4)


def test_logs_of_the_counts_themselves() -> None:
    found = recover(sp.csr_matrix(np.log1p(draw())))
    assert found is not None
    assert (found.base, found.scaled, found.target_sum) == (math.e, False, None)
    assert found.exact


def test_estimated_counts_are_never_exact() -> None:
    """RSEM's and kallisto's are no whole numbers: their log is told, but not undone exactly."""
    estimated = draw() * np.random.default_rng(1).uniform(0.6, 1.0, (N_CELLS, N_GENES))
    found = recover(sp.csr_matrix(np.log1p(normalised(estimated, 1e6))))
    assert found is not None
    assert (found.base, found.exact) == (math.e, False)
    assert found.target_sum == pytest.approx(1e6, rel=1e-3)


def test_cells_without_a_count_of_one() -> None:
    found = recover(sp.csr_matrix(np.log1p(normalised(2 * draw() + 3 * (draw(1) > 2), 1e4))))
    assert found is not None
    assert (found.base, found.exact) == (math.e, True)


@pytest.mark.parametrize("seed", range(5))
def test_smooth_values_are_no_logs_of_counts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.gamma(1.0, 1.0, (N_CELLS, N_GENES)).astype(np.float32)
    assert recover(sp.csr_matrix(values)) is None
    assert recover(sp.csr_matrix(np.sqrt(normalised(draw(seed), 1e4)))) is None


def test_negative_and_empty_values_are_nothing() -> None:
    assert recover(sp.csr_matrix(-draw())) is None
    assert recover(sp.csr_matrix((5, 5), dtype=np.float32)) is None
