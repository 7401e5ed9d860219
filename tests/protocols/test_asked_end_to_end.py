"""Masking, thinning, calibration and stability, asked of real workers and scored apart."""

from __future__ import annotations

import math

import pandas as pd
import pytest

import impbench
from impbench.plan.suite import Question, Suite
from impbench.runner.settings import Settings

pytestmark = pytest.mark.slow

PROTOCOLS = ("masking", "thinning", "calibration[train=0.9]", "stability")
IMPUTERS = ("no-imputation", "gene-mean", "permuted", "saver")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    question = Question(("sim_equal[n_cells=60,n_genes=80]",), PROTOCOLS)
    results = impbench.run(
        Suite("asked", "asked", "", (question,), IMPUTERS, seeds=1, controls=False),
        tmp_path_factory.mktemp("asked"),
        settings=Settings(jobs=2, threads=1, timeout=120),
    )
    assert results.report.exists()
    return results.scores


def values(results: pd.DataFrame, imputer: str) -> dict[tuple[str, str], float]:
    rows = results[results.imputer == imputer]
    return {(row.protocol, row.metric): row.value for row in rows.itertuples()}


def test_every_job_succeeds_also_where_a_method_offers_no_standard_deviation(results):
    assert (results.status == "ok").all(), results[results.status != "ok"].reason.unique()
    assert set(results.protocol) == set(PROTOCOLS)


def test_oracle_is_perfect_where_there_is_one(results):
    oracle = values(results, "oracle")
    assert oracle["masking", "masked-rmse"] < 1e-5
    assert oracle["thinning", "thinned-mse"] < 1e-6
    assert ("stability", "half-pearson") not in oracle


def test_only_methods_with_a_standard_deviation_are_calibrated(results):
    assert 0 <= values(results, "saver")["calibration[train=0.9]", "coverage-90"] <= 0.9
    assert math.isnan(values(results, "gene-mean")["calibration[train=0.9]", "coverage-90"])


def test_deterministic_methods_agree_exactly_between_seeds_and_shuffling_does_not(results):
    for imputer in ("no-imputation", "gene-mean"):
        found = values(results, imputer)
        assert found["stability", "seed-rmsd"] == 0
        assert found["stability", "seed-pearson"] == 1
    assert values(results, "no-imputation")["stability", "half-rmsd"] == 0
    assert 0 < values(results, "gene-mean")["stability", "half-rmsd"] < 1
    permuted = values(results, "permuted")
    assert permuted["stability", "seed-rmsd"] > 0.5
    assert abs(permuted["stability", "seed-pearson"]) < 0.1


def test_masked_counts_come_back_as_zeros_without_imputation(results):
    assert values(results, "no-imputation")["masking", "masked-nmse"] == 1
    assert values(results, "gene-mean")["masking", "masked-nmse"] < 0.9
