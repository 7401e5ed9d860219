"""How often a run reads what it wrote: each record once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import impbench
import impbench.results.record
from impbench import terminal
from impbench.plan.suite import Question, Suite
from impbench.results.record import Record
from impbench.results.store import Store
from impbench.runner.settings import Settings

QUESTION = Question(("sim_equal[n_cells=40,n_genes=60]",), ("simulated-truth",))
IMPUTERS = ("no-imputation", "gene-mean", "nonzero-mean", "permuted")
SUITE = Suite("once", "once", "", (QUESTION,), IMPUTERS, 2, False)
JOBS = 12
"""Those four, the two that see the truth, and two seeds."""


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[type]:
    """What was decoded, as it is."""
    kinds: list[type] = []
    read = impbench.results.record.read_json

    def counting(data: bytes, kind: type, origin: str) -> Any:
        kinds.append(kind)
        return read(data, kind, origin)

    monkeypatch.setattr(impbench.results.record, "read_json", counting)
    return kinds


def run(out: Path) -> impbench.Results:
    """A run with everything that it shows: page, leaderboard, what failed."""
    settings = Settings(jobs=2, threads=1, timeout=60)
    results = impbench.run(SUITE, out, settings=settings)
    terminal.print_results(results, quiet=False, as_json=False)
    return results


@pytest.mark.slow
def test_a_run_and_its_resumption_parse_each_record_once(
    tmp_path: Path, parsed: list[type]
) -> None:
    first = run(tmp_path)
    assert parsed == [Record] * JOBS
    parsed.clear()
    again = run(tmp_path)
    assert parsed == [Record] * JOBS
    assert again.scores.equals(first.scores)
    assert len(again.scores.key.unique()) == JOBS


def test_what_a_run_hands_on_is_what_its_folder_holds(tmp_path: Path) -> None:
    stored = run(tmp_path).stored
    read = Store.open(tmp_path).read()
    assert stored.manifest == read.manifest
    assert list(stored.records) == list(read.records)
