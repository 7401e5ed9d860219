"""What a method writes never ends the run, vanishes, or costs the runner's memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from careless import DONE, INFOS

from impbench.results.record import Record
from impbench.results.store import Store
from impbench.worker.answer import LOG_HEAD, LOG_TAIL

pytestmark = pytest.mark.slow

CARELESS = Path(__file__).parents[1] / "example_plugins" / "careless.py"
ODD = [
    *(f"tells[what={name}]" for name in INFOS),
    *(f"writes[text={text}]" for text in range(len(DONE))),
    *(f"writes[file=error.json,text={text},status=1]" for text in range(len(DONE))),
    *(f"replaces[by={what}]" for what in ("link", "pipe", "folder", "nothing", "hard-link")),
    *("deletes-all", "floods", "chats", "lacks-something"),
]
GOOD = ["tells[what=nan]", "tells[what=half-characters]", "floods", "chats", "deletes-all"]


class Ran:
    """A run of all odd methods through the command line, and its peak memory."""

    def __init__(self, out: Path) -> None:
        self.out = out
        words = ["--plugin", str(CARELESS), "--imputers", ",".join(ODD), "--out", str(out)]
        words += ["--datasets", "sim_equal[n_cells=40,n_genes=60]", "--seeds", "1", "-j", "2"]
        words += ["--protocols", "simulated-truth", "--timeout", "60s", "--quiet"]
        self.words = [sys.executable, "-c", "from impbench.cli import main; main()", "run", *words]
        self.done = subprocess.run(self.words, capture_output=True, text=True, check=False)
        self.records = {record.job.imputer: record for record in Store(out).read().records}

    def of(self, spec: str) -> Record:
        return self.records[spec]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return Ran(tmp_path_factory.mktemp("careless"))


def test_every_method_has_its_record_table_row_and_page(ran: Ran) -> None:
    assert "Traceback" not in ran.done.stderr
    assert set(ODD) <= set(ran.records), ran.done.stderr
    table = pd.read_parquet(ran.out / "results.parquet")
    assert set(ODD) <= set(table.imputer)
    page = (ran.out / "report.html").read_text(encoding="utf-8")
    assert all(spec in page for spec in ODD)


@pytest.mark.parametrize("spec", ODD)
def test_odd_answer_is_a_failure_with_its_reason(ran: Ran, spec: str) -> None:
    record = ran.of(spec)
    assert record.status == ("ok" if spec in GOOD else "failed"), record.reason
    assert spec in GOOD or record.reason


def test_reason_names_the_place(ran: Ran) -> None:
    said = ran.of("tells[what=number-as-version]").reason
    assert "info['versions']['R'] must be a text, not 4.3" in said
    assert "nested more than 20 levels" in ran.of("tells[what=deeper]").reason
    assert "more than 1048576 bytes" in ran.of("tells[what=large]").reason
    assert "expression.npy is no plain file" in ran.of("replaces[by=pipe]").reason


def test_method_that_lacks_something_once_it_has_data_has_failed(ran: Ran) -> None:
    assert ran.of("lacks-something").reason == "UnavailableError: needs more cells"


def test_stored_records_are_read_and_what_is_done_stays_done(ran: Ran) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in (ran.out / "records").iterdir()}
    done = {ran.of(spec).key for spec in GOOD}
    again = subprocess.run(ran.words, capture_output=True, text=True, check=False)
    assert "ignored and done again" not in (ran.out / "run.log").read_text()
    assert "Traceback" not in again.stderr
    after = {path.name: path.stat().st_mtime_ns for path in (ran.out / "records").iterdir()}
    assert {key for key in done if before[f"{key}.json"] != after[f"{key}.json"]} == set()


def test_log_keeps_its_beginning_and_its_end(ran: Ran) -> None:
    log = (ran.out / "logs" / f"{ran.of('floods').key}.log").read_text()
    assert len(log) < 1.01 * (LOG_HEAD + LOG_TAIL)
    assert log.startswith("first words\n")
    assert log.endswith("last words\n")
    assert "bytes are left out here" in log


def test_runner_does_not_grow_with_what_is_printed(tmp_path: Path) -> None:
    peaks = {}
    for name in ("chats", "floods"):
        words = ["--plugin", str(CARELESS), "--imputers", name, "--out", str(tmp_path / name)]
        words += ["--datasets", "sim_equal[n_cells=40,n_genes=60]", "--seeds", "1", "-j", "1"]
        words += ["--protocols", "simulated-truth", "--no-report", "--quiet"]
        code = (
            "import resource; from impbench.cli import app;"
            f"app({['run', *words]!r}, standalone_mode=False);"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        peaks[name] = int(done.stdout.split()[-1]) * (1024 if sys.platform == "linux" else 1)
    assert peaks["floods"] < peaks["chats"] + 30 * 2**20, os.linesep.join(map(str, peaks.items()))
