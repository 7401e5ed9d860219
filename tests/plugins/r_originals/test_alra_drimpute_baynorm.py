"""ALRA, DrImpute and bayNorm are called as documented, on the scale that each of them asks for.

Stand-ins of a few lines take their place: see tests/data/r_packages.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import impbench
from impbench.context import Context
from impbench.errors import InputError
from impbench.imputer import Imputed, Observed
from impbench.testing import checks

pytestmark = [pytest.mark.r, pytest.mark.slow, pytest.mark.usefixtures("stand_ins")]

RUNIF_1 = 0.26550866
"""What R's ``set.seed(1); runif(1)`` gives."""
EMPTY = 3


def counts_of(n_cells: int, n_genes: int) -> np.ndarray:
    """Counts with an empty cell and a silent gene."""
    counts = np.random.default_rng(0).poisson(1.0, (n_cells, n_genes))
    counts[EMPTY] = 0
    counts[:, 5] = 0
    return counts


@pytest.fixture
def observed() -> Observed:
    """Some cells, under names that R would not choose."""
    return Observed.from_counts(counts_of(20, 8), gene_names=[f"HLA-{i} α" for i in range(8)])


def impute(
    name: str, observed: Observed, tmp_path: Path, threads: int = 1, seed: int = 1
) -> Imputed:
    imputer = impbench.get_imputer(name)
    imputed = imputer.impute(observed, Context(seed=seed, threads=threads, scratch=tmp_path))
    imputed.check(observed)
    imputed.must_hold(imputer.gives)
    return imputed


def test_alra_gets_its_own_scale_and_its_values_become_counts_again(
    observed: Observed, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    imputed = impute("alra-r[k=4,quantile=0.01,n_power=3]", observed, tmp_path)
    counts = observed.dense_counts
    library = counts.sum(axis=1, keepdims=True)
    filled = np.expm1((4 + RUNIF_1) / 10) * library / 1e4
    assert imputed.scale == "counts"
    np.testing.assert_allclose(imputed.expression, np.where(counts, counts, filled), rtol=1e-6)
    assert not imputed.expression[EMPTY].any()
    assert imputed.info["k"] == 4
    assert imputed.info["versions"]["ALRA"] == "0.0.0.1"
    told = capfd.readouterr()
    assert "stand-in for ALRA: rank 4 q 3 quantile 0.01" in told.out + told.err


def test_alra_chooses_its_rank_from_100_cells_and_genes_on(
    observed: Observed, tmp_path: Path
) -> None:
    counts = counts_of(101, 100)
    assert impute("alra-r", Observed.from_counts(counts), tmp_path).info["k"] == 7
    for few in (counts[1:], counts[:, 1:]):
        with pytest.raises(InputError, match=r"at least 100 cells and 100 genes.*alra-r\[k=10\]"):
            impute("alra-r", Observed.from_counts(few), tmp_path)
    with pytest.raises(InputError, match="rank k=9 is more than 19 cells with counts × 8 genes"):
        impute("alra-r[k=9]", observed, tmp_path)
    counts[:, 0] = 0
    with pytest.raises(InputError, match="no gap between singular values stands out"):
        impute("alra-r", Observed.from_counts(counts), tmp_path)


def test_drimpute_gets_log_values_its_seed_and_its_parameters(
    observed: Observed, tmp_path: Path
) -> None:
    imputed = impute("drimpute-r[ks=[2,3],dropout_target=0.5]", observed, tmp_path)
    lognorm = observed.lognorm
    expected = np.where(lognorm > 0, lognorm, 5.5 + RUNIF_1 / 10)
    expected[EMPTY] = 0
    assert imputed.scale == "lognorm"
    np.testing.assert_allclose(imputed.expression, expected, rtol=1e-6)
    assert imputed.info["versions"]["DrImpute"] == "0.0.0.1"
    other = impute("drimpute-r[combine=median,ks=[2]]", observed, tmp_path, seed=2)
    assert other.expression[0].max() == pytest.approx(102.0185, abs=1e-3)
    assert impute("drimpute-r", observed, tmp_path).expression.max() > 75


def test_drimpute_refuses_too_few_cells_by_its_own_rules(
    observed: Observed, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="none below 10; 9 have"):
        impute("drimpute-r", Observed.from_counts(observed.dense_counts[:10]), tmp_path)
    twice = Observed.from_counts(np.tile(np.delete(observed.dense_counts, EMPTY, 0)[:14], (2, 1)))
    with pytest.raises(InputError, match=r"more than 15 cells.*14 do.*ks=\[2,3\]"):
        impute("drimpute-r", twice, tmp_path)


@pytest.mark.parametrize("estimate", ["mean", "mode", "draws"])
def test_molecules_of_baynorm_are_multiplied_by_the_share_that_was_caught(
    observed: Observed, tmp_path: Path, capfd: pytest.CaptureFixture[str], estimate: str
) -> None:
    name = f"baynorm-r[estimate={estimate},n_draws=3]"
    imputed = impute(name, observed, tmp_path, threads=2)
    counts = observed.dense_counts
    library = counts.sum(axis=1)
    beta = np.where(library > 0, library, library[library > 0].min()) / library.mean() * 0.06
    drawn = np.array([0.2655087, 0.3721239, 0.5728534])  # set.seed(1); runif(3)
    added = {"mean": 1, "mode": 2, "draws": drawn.mean()}[estimate]
    assert imputed.scale == "counts"
    np.testing.assert_allclose(imputed.expression, counts + added * beta[:, None], rtol=1e-5)
    deviation = np.broadcast_to(drawn.std(ddof=1) * beta[:, None], counts.shape)
    np.testing.assert_allclose(imputed.std, deviation, rtol=1e-5)
    assert imputed.info["versions"]["bayNorm"] == "0.0.0.1"
    assert "parallel TRUE, 2 cores" in capfd.readouterr().err


def test_share_of_a_cell_that_holds_nearly_all_is_the_largest_below_1(tmp_path: Path) -> None:
    counts = counts_of(40, 8)
    counts[0] = 10_000
    imputed = impute("baynorm-r", Observed.from_counts(counts), tmp_path)
    beta = np.sort(counts.sum(axis=1) / counts.sum(axis=1).mean() * 0.06)
    assert beta[-1] > 1
    np.testing.assert_allclose(imputed.expression[0] - counts[0], beta[-2], atol=1e-3)


def test_baynorm_refuses_what_it_cannot_take(observed: Observed, tmp_path: Path) -> None:
    halves = dataclasses.replace(observed, counts=observed.dense_counts / 2)
    with pytest.raises(InputError, match=r"whole molecules; [0-9]+ counts have fractions"):
        impute("baynorm-r", halves, tmp_path)
    single = Observed.from_counts(np.eye(3, dtype=int) * [[1], [0], [0]])
    with pytest.raises(InputError, match="baynorm-r needs at least 2 cells with counts, got 1"):
        impute("baynorm-r", single, tmp_path)
    with pytest.raises(InputError, match="20 draws of 20 cells × 8 genes would take"):
        impbench.get_imputer("baynorm-r").impute(observed, Context(scratch=tmp_path, memory=50_000))


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("alra-r[k=3]", "seed-is-honoured"),
        ("drimpute-r", "seed-is-honoured"),
        ("drimpute-r", "keeps-observed-values"),
        ("baynorm-r", "seed-is-honoured"),
        ("baynorm-r", "gives-what-it-declares"),
    ],
)
def test_adapter_declares_what_it_does(name: str, check: str) -> None:
    (wanted,) = (item for item in checks() if item.name == check)
    result = wanted.result(impbench.get_imputer(name))
    assert result.verdict == "passed", result
