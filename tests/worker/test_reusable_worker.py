"""A worker is kept for the jobs of one module, each of which still has a process of its own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

import impbench
from impbench.plan.suite import Question, Suite
from impbench.registry import load_file
from impbench.results.record import Record
from impbench.results.store import Store
from impbench.runner.settings import Settings
from impbench.runner.walls import may_be_kept
from impbench.worker import landlock
from impbench.worker.fork_server import can_watch

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not can_watch(), reason="no worker is kept on this system"),
]


@pytest.fixture(autouse=True)
def ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the file for one of our own: no worker is kept for a stranger's."""
    load_file(Path(__file__).parents[1] / "example_plugins" / "served.py")
    for place in ("walls", "attempt"):
        monkeypatch.setattr(f"impbench.runner.{place}.may_be_kept", lambda imputer: True)


SUITE = Suite(
    name="three",
    title="three",
    description="",
    questions=(Question(("sim_equal[n_cells=40,n_genes=60]",), ("simulated-truth",)),),
    imputers=(),
    seeds=3,
    controls=False,
)


def run(
    out: Path,
    *imputers: str,
    timeout: float = 60.0,
    threads: int = 1,
    datasets: Sequence[str] | None = None,
) -> list[Record]:
    """Impute with three seeds, one after the other; return the records, imputer by imputer."""
    settings = Settings(jobs=1, threads=threads, timeout=timeout)
    impbench.run(SUITE, out, imputers=imputers, datasets=datasets, settings=settings, report=False)
    records = [record for record in Store(out).read().records if record.job.imputer in imputers]
    return sorted(records, key=lambda r: (imputers.index(r.job.imputer), r.job.seed))


def test_jobs_of_one_imputer_are_forked_from_one_process(tmp_path: Path) -> None:
    records = run(tmp_path, "tells-of-itself")
    parents = {record.info["parent"] for record in records}
    assert len(parents) == 1
    assert os.getpid() not in parents
    assert len({record.info["process"] for record in records}) == 3


@pytest.mark.parametrize("threads", [1, 2])
def test_jobs_with_threads_of_their_own_are_forked_too(tmp_path: Path, threads: int) -> None:
    # OpenBLAS starts its threads with NumPy, and a process with threads is not forked.
    records = run(tmp_path, "counts-threads", threads=threads)
    assert len({record.info["parent"] for record in records} - {os.getpid()}) == 1
    assert {pool for record in records for pool in record.info["pools"]} == {threads}


def test_jobs_of_another_imputer_of_the_module_are_forked_from_it_too(tmp_path: Path) -> None:
    records = run(tmp_path, "tells-of-itself", "says-how", "says-how[how=loudly]")
    assert [record.info.get("how") for record in records] == 3 * [None] + 3 * ["so"] + 3 * [
        "loudly"
    ]
    assert len({record.info["parent"] for record in records}) == 1


def test_imputer_that_cannot_work_here_is_not_helped_by_one_of_its_module_that_can(
    tmp_path: Path,
) -> None:
    records = run(tmp_path, "tells-of-itself", "lacks-something")
    assert [record.status for record in records] == 3 * ["ok"] + 3 * ["unavailable"]
    assert "needs something" in str(records[-1].reason)


def test_jobs_on_other_data_see_those(tmp_path: Path) -> None:
    datasets = [f"sim_equal[n_cells={n},n_genes=60]" for n in (40, 50)]
    records = run(tmp_path, "tells-of-itself", "says-how", datasets=datasets)
    assert len(records) == 12
    assert len({record.info["parent"] for record in records}) == 1
    for record in records:
        assert f"n_cells={record.info['cells']}," in record.job.dataset


def test_job_whose_process_may_fork_no_more_has_one_of_its_own(tmp_path: Path) -> None:
    records = run(tmp_path, "tells-of-itself", "has-thread")
    assert {record.status for record in records} == {"ok"}
    (served,) = {record.info["parent"] for record in records[:3]}
    processes = [record.info["process"] for record in records[3:]]
    assert served not in processes
    assert len(set(processes)) == 3
    assert {record.info["parent"] for record in records[3:]} == {os.getpid()}


def test_no_worker_is_kept_for_a_stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impbench.runner.attempt.may_be_kept", may_be_kept)
    records = run(tmp_path, "tells-of-itself")
    assert {record.info["parent"] for record in records} == {os.getpid()}
    assert len({record.info["process"] for record in records}) == 3


def test_imputer_that_cannot_be_prepared_fails_with_its_reason(tmp_path: Path) -> None:
    records = run(tmp_path, "tells-of-itself", "fails-to-prepare", "says-how")
    assert [record.status for record in records] == 3 * ["ok"] + 3 * ["failed"] + 3 * ["ok"]
    assert records[3].reason == "ValueError: no licence found"
    assert "in prepare" in records[3].log
    assert len({record.info["parent"] for record in records if record.info}) == 1


def test_imputer_that_crashes_while_it_prepares_costs_no_other(tmp_path: Path) -> None:
    records = run(tmp_path, "tells-of-itself", "dies-preparing", "says-how")
    assert [record.status for record in records] == 3 * ["ok"] + 3 * ["failed"] + 3 * ["ok"]
    assert "SIGSEGV" in str(records[3].reason)
    assert "about to prepare" in records[3].log


def test_limit_holds_while_an_imputer_prepares(tmp_path: Path) -> None:
    records = run(tmp_path, "tells-of-itself", "prepares-forever", timeout=3.0)
    assert [record.status for record in records] == 3 * ["ok"] + 3 * ["timeout"]


def test_each_job_has_its_folder_and_its_log(tmp_path: Path) -> None:
    records = run(tmp_path, "tells-of-itself")
    assert len({record.info["folder"] for record in records}) == 3
    assert [record.log.strip() for record in records] == ["seed 1", "seed 2", "seed 3"]


def test_what_a_job_changes_is_gone_with_it(tmp_path: Path) -> None:
    assert [record.info["seen"] for record in run(tmp_path, "tells-of-itself")] == [[1], [2], [3]]


def test_process_with_a_thread_is_not_forked(tmp_path: Path) -> None:
    records = run(tmp_path, "has-thread")
    assert {record.info["parent"] for record in records} == {os.getpid()}
    assert len({record.info["process"] for record in records}) == 3


def test_job_that_crashes_costs_no_other(tmp_path: Path) -> None:
    records = run(tmp_path, "crashes-once")
    assert [record.status for record in records] == ["ok", "failed", "ok"]
    assert "SIGSEGV" in str(records[1].reason)
    assert records[0].info["parent"] == records[2].info["parent"]


@pytest.mark.skipif(landlock.abi() < 6, reason="this kernel does not keep signals in")
def test_job_cannot_kill_the_process_it_came_from(tmp_path: Path) -> None:
    records = run(tmp_path, "kills-its-parent")
    assert [record.status for record in records] == ["ok", "failed", "ok"]
    assert "PermissionError" in str(records[1].reason)
    assert records[0].info["parent"] == records[2].info["parent"]


def test_limit_holds_where_the_channel_is_closed(tmp_path: Path) -> None:
    records = run(tmp_path, "closes-all", timeout=3.0)
    assert [record.status for record in records] == ["timeout"] * 3


def test_peak_is_known_of_a_process_that_is_gone_before_it_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("impbench.worker.reusable_worker._peak_memory", lambda pid: 0)
    peaks = [record.cost.peak_memory for record in run(tmp_path / "x", "gene-mean") if record.cost]
    assert len(peaks) == 3
    assert 20 * 2**20 < min(peaks) <= max(peaks) < 250 * 2**20
