"""A metric that fails costs the scores it was asked for, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

import impbench
from impbench.registry import load_file
from impbench.runner.run import Settings
from impbench.runner.store import Store
from impbench.runner.suite import Question, Suite


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        ("hangs-on-zeros", "scoring took longer than the limit of 20 s"),
        ("crashes-on-zeros", "the scoring process died"),
        ("raises-on-zeros", "ZeroDivisionError: nothing but zeros"),
    ],
)
def test_metric_that_fails_is_a_recorded_reason(tmp_path: Path, metric: str, reason: str) -> None:
    load_file(Path(__file__).with_name("faulty_metrics.py"))
    question = Question(("sim_equal[n_cells=40,n_genes=60]",), (f"faulty-metric[metric={metric}]",))
    suite = Suite(
        name="faulty",
        title="faulty",
        description="",
        questions=(question,),
        imputers=("zeros", "no-imputation"),
        seeds=1,
        controls=False,
    )
    settings = Settings.sensible(jobs=1, threads=1, timeout=20.0)
    impbench.run(suite, tmp_path, settings=settings, report=False)
    records = {record.job.imputer: record for record in Store(tmp_path).records()}
    assert records["zeros"].status == "failed"
    assert reason in records["zeros"].reason
    assert records["no-imputation"].status == "ok"
    assert records["no-imputation"].scores[metric] == 1.0
