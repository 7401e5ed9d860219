"""Whole runs of methods in R with real workers: what goes wrong in one job stays in its record."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pytest

import impbench
from impbench.external.r import RPackage
from impbench.plan.suite import Question, Suite
from impbench.registry import load_file
from impbench.results.record import Record
from impbench.runner.settings import Settings

pytestmark = [pytest.mark.r, pytest.mark.slow]

SUITE = Suite(
    name="tiny",
    title="tiny",
    description="",
    questions=(Question(("sim_equal[n_cells=20,n_genes=30]",), ("simulated-truth",)),),
    imputers=(),
    seeds=1,
    controls=False,
)
TIMEOUT = 15.0


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Record, str]]:
    """Run every imputer once; each with its record and log."""
    load_file(Path(__file__).with_name("hostile_in_r.py"))
    out = tmp_path_factory.mktemp("run")
    names = ["r-hangs", "r-fine", "r-stops", "r-quits", "r-crashes", "r-nan", "r-missing"]
    limits = Settings(jobs=2, threads=1, timeout=TIMEOUT)
    impbench.run(SUITE, out, imputers=names, settings=limits, report=False)
    found = {}
    for path in (out / "records").glob("*.json"):
        record = Record.from_json(path.read_text())
        log = out / "logs" / f"{record.key}.log"
        text = log.read_text() if log.is_file() else ""
        found[record.job.imputer] = record, text
    return found


@pytest.mark.parametrize(
    ("imputer", "status", "reason", "log"),
    [
        (
            "r-stops",
            "failed",
            "RError: the matrix displeases me (in R's f(x = x))",
            "about to stop",
        ),
        ("r-quits", "failed", "RError: R ended with status 0 in the middle", "about to quit"),
        ("r-crashes", "failed", "RError: R was killed by SIGSEGV", "about to crash"),
        ("r-hangs", "timeout", f"longer than the limit of {TIMEOUT:g} s", "about to hang"),
        ("r-nan", "failed", "1 values that are NaN or infinite, first at cell 3", ""),
        ("r-missing", "unavailable", "R has no package nope: Rscript -e 'install.pack", ""),
    ],
)
def test_failure_in_r_is_a_record_with_its_reason_and_log(
    records: dict[str, tuple[Record, str]], imputer: str, status: str, reason: str, log: str
) -> None:
    record, text = records[imputer]
    assert (record.status, record.scores) == (status, {})
    assert reason in record.reason
    assert log in text
    assert log in record.log


def test_method_in_r_is_scored_and_its_record_names_versions_and_keeps_rs_messages(
    records: dict[str, tuple[Record, str]],
) -> None:
    record, log = records["r-fine"]
    assert record.status == "ok"
    assert record.scores["mse"] > 0
    assert record.versions["stats"] == RPackage("stats").version()
    assert {"R", "rpy2", "numpy", "impbench"} <= set(record.versions)
    assert "hello from R\n" in log
    assert "mind the gap" in log
    assert json.loads(record.to_json())["versions"]["R"] == record.versions["R"]


def test_nothing_that_r_started_is_left(records: dict[str, tuple[Record, str]]) -> None:
    assert records
    everybody = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    assert [words for words in everybody if "54322" in words] == []
    ours = [child.cmdline() for child in psutil.Process().children(recursive=True)]
    assert [words for words in ours if "impbench.external.r.process" in words] == []
