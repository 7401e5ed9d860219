"""What comes of metrics that fail, and how often the oracle is scored."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import impbench
from impbench.plan.suite import Question, Suite
from impbench.registry import load_file
from impbench.results.record import Record
from impbench.results.store import Store
from impbench.runner.settings import Settings

pytestmark = pytest.mark.slow


def ask(out: Path, protocol: str, imputers: tuple[str, ...], seeds: int = 1) -> None:
    """Ask one question of a small simulation, with a limit of 20 s."""
    for plugin in ("faulty_metrics.py", "zeros.py"):
        load_file(Path(__file__).parents[1] / "example_plugins" / plugin)
    suite = Suite(
        name="faulty",
        title="faulty",
        description="",
        questions=(Question(("sim_equal[n_cells=40,n_genes=60]",), (protocol,)),),
        imputers=imputers,
        seeds=seeds,
        controls=False,
    )
    settings = Settings(jobs=1, threads=1, timeout=20.0)
    impbench.run(suite, out, settings=settings, report=False)


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        ("hangs-on-zeros", "scoring took longer than the limit of 20 s"),
        ("crashes-on-zeros", "the scoring process died"),
        ("raises-on-zeros", "ZeroDivisionError: nothing but zeros"),
    ],
)
def test_metric_that_fails_is_a_recorded_reason(tmp_path: Path, metric: str, reason: str) -> None:
    ask(tmp_path, f"faulty-metric[metric={metric}]", imputers=("zeros", "no-imputation"))
    records = {record.job.imputer: record for record in Store(tmp_path).read().records}
    assert records["zeros"].status == "failed"
    assert reason in records["zeros"].reason
    assert records["no-imputation"].status == "ok"
    assert records["no-imputation"].scores[metric] == 1.0


@pytest.mark.parametrize(
    ("protocol", "calls"),
    [
        ("faulty-metric", [4, 4, 4, 5, 5, 5]),
        ("faulty-metric-with-seed", [4, 5, 6, 7, 8, 9]),
    ],
)
def test_truth_controls_are_scored_again_only_where_the_evaluation_takes_a_seed(
    tmp_path: Path, protocol: str, calls: list[int]
) -> None:
    spec = f"{protocol}[metric=counts-its-calls]"
    ask(tmp_path, spec, imputers=("no-imputation",), seeds=3)
    found = {
        (record.job.imputer, record.job.seed): record.scores["counts-its-calls"]
        for record in Store(tmp_path).read().records
    }
    assert [found["no-imputation", seed] for seed in (1, 2, 3)] == [1, 2, 3]
    order = [(name, seed) for name in ("attainable", "oracle") for seed in (1, 2, 3)]
    assert [found[key] for key in order] == calls


def test_intervals_over_cells_are_stored_with_the_scores_and_can_be_read(tmp_path: Path) -> None:
    ask(tmp_path, "simulated-truth", imputers=("nonzero-mean",))
    record = next(r for r in Store(tmp_path).read().records if r.job.imputer == "nonzero-mean")
    assert set(record.intervals) == {"mse", "biozero-mse", "dropout-mse", "nonzero-mse"}
    low, high = record.intervals["mse"]
    assert low < record.scores["mse"] < high
    assert Record.from_json(record.to_json()) == record
    older = json.loads(record.to_json())
    del older["intervals"]
    assert Record.from_json(json.dumps(older)) == replace(record, intervals={})
