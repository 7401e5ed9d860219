"""What a run's folder survives: half-written and foreign records, leftovers, SIGTERM."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import impbench
from impbench.errors import InputError
from impbench.plan.suite import Question, Suite
from impbench.registry import load_file
from impbench.results.store import Store
from impbench.runner.run import Results
from impbench.runner.settings import Settings

pytestmark = pytest.mark.slow

HOSTILE = Path(__file__).parents[1] / "example_plugins" / "hostile.py"
QUESTION = Question(("sim_equal[n_cells=40,n_genes=60]",), ("simulated-truth",))
SUITE = Suite("faults", "faults", "", (QUESTION,), (), 2, False)


@pytest.fixture(scope="module", autouse=True)
def hostile() -> None:
    load_file(HOSTILE)


def run(out: Path, imputer: str, fresh: bool = False) -> Results:
    settings = Settings(jobs=2, threads=1, timeout=60, fresh=fresh)
    return impbench.run(SUITE, out, imputers=[imputer], report=False, settings=settings)


def test_half_written_record_is_done_again_and_said_in_the_log(tmp_path: Path) -> None:
    before = run(tmp_path, "fine").scores
    victim, *_ = sorted((tmp_path / "records").glob("*.json"))
    victim.write_bytes(victim.read_bytes()[:100])
    after = run(tmp_path, "fine").scores
    cost = after.metric.isin(["wall-seconds", "cpu-seconds", "peak-memory"])
    pd.testing.assert_frame_equal(before[~cost], after[~cost])
    assert f"ignored and done again: {victim} is not an impbench record" in (
        tmp_path / "run.log"
    ).read_text(encoding="utf-8")


def test_records_of_another_schema_are_refused_and_left_alone(tmp_path: Path) -> None:
    run(tmp_path, "fine")
    victim, *_ = sorted((tmp_path / "records").glob("*.json"))
    old = json.dumps({**json.loads(victim.read_text()), "schema": 0})
    victim.write_text(old)
    manifest = (tmp_path / "manifest.json").read_text()
    with pytest.raises(InputError, match=r"schema 0, this one reads .*impbench run --fresh"):
        run(tmp_path, "fine")
    assert victim.read_text() == old
    assert (tmp_path / "manifest.json").read_text() == manifest
    fresh = run(tmp_path, "fine", fresh=True)
    assert set(fresh.scores.status) == {"ok"}


def test_what_a_killed_run_left_half_written_is_swept_away(tmp_path: Path) -> None:
    run(tmp_path, "fine")
    left = tmp_path / "records" / ".0123.json.89abcdef.tmp"
    left.write_text("{")
    run(tmp_path, "fine")
    assert not list(tmp_path.rglob("*.tmp"))


def test_sigterm_lets_jobs_in_flight_finish_and_the_next_run_goes_on(tmp_path: Path) -> None:
    code = (
        "import impbench, sys; from pathlib import Path;"
        "from impbench.registry import load_file; from impbench.runner.settings import Settings;"
        "from impbench.plan.suite import Question, Suite;"
        f"load_file(Path({str(HOSTILE)!r}));"
        "suite = Suite('t', 't', '', (Question(('sim_equal[n_cells=40,n_genes=60]',),"
        " ('simulated-truth',)),), (), 3, False);"
        "settings = Settings(jobs=1, threads=1, timeout=60, memory=None, grace=60);"
        f"impbench.run(suite, Path({str(tmp_path)!r}), imputers=['slow'], report=False,"
        " settings=settings)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list((tmp_path / ".work").glob("tasks/*/*/scratch")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert "Terminated" in said
    # The controls, which come first, are done.
    records = Store.open(tmp_path).read().records
    assert [record.status for record in records if record.job.imputer == "slow"] == ["ok"]
    assert not (tmp_path / ".work").exists()
    assert json.loads((tmp_path / "manifest.json").read_text())["interrupted"] is True
