"""A question may hide arrays of its own, and ask for several imputations in one job."""

from __future__ import annotations

from pathlib import Path

import pytest

import impbench
from impbench.plan.suite import Question, Suite
from impbench.registry import load_file
from impbench.runner.settings import Settings

PLUGIN = Path(__file__).parents[1] / "example_plugins" / "asks_again.py"
DATASET = "sim_equal[n_cells=40,n_genes=60]"


@pytest.fixture(scope="module", autouse=True)
def plugin() -> None:
    load_file(PLUGIN)


def scores(
    out: Path, imputers: tuple[str, ...], protocols: tuple[str, ...]
) -> dict[tuple[str, str], float]:
    suite = Suite("again", "again", "", (Question((DATASET,), protocols),), (), 1, False)
    settings = Settings(jobs=2, threads=1, timeout=60)
    table = impbench.run(suite, out, imputers=imputers, report=False, settings=settings).scores
    assert set(table.status) <= {"ok", "unavailable"}
    return {(row.imputer, row.metric): row.value for row in table.itertuples()}


def test_answers_of_another_seed_and_of_fewer_cells_reach_the_metric(tmp_path: Path) -> None:
    found = scores(tmp_path, ("permuted", "gene-mean"), ("asks-again",))
    # Shuffled values differ from seed to seed; a mean does not.
    assert found["permuted", "seed-difference"] > 0.1
    assert found["gene-mean", "seed-difference"] == 0
    # The mean of half the cells is another than that of all.
    assert found["gene-mean", "half-difference"] > 0


def test_extra_arrays_reach_the_metric_dense_sparse_and_as_text(tmp_path: Path) -> None:
    found = scores(tmp_path, ("no-imputation",), ("asks-again",))
    assert found["no-imputation", "extras"] == 3 + 40 + 2


def test_tasks_with_further_views_do_not_mix_with_others_on_the_same_view(tmp_path: Path) -> None:
    found = scores(tmp_path, ("gene-mean",), ("asks-again", "simulated-truth"))
    assert ("gene-mean", "mse") in found
    assert ("gene-mean", "half-difference") in found


def test_method_that_lacks_something_is_unavailable_with_its_reason(tmp_path: Path) -> None:
    suite = Suite("lack", "lack", "", (Question((DATASET,), ("simulated-truth",)),), (), 1, False)
    settings = Settings(jobs=1, threads=1, timeout=60)
    imputers = ("lacks-a-tool",)
    table = impbench.run(suite, tmp_path, imputers=imputers, report=False, settings=settings).scores
    rows = table[table.imputer == "lacks-a-tool"]
    assert set(rows.status) == {"unavailable"}
    assert "pip install unobtainium" in rows.reason.iloc[0]
