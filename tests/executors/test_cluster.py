"""Runs on a real Dask scheduler with real worker processes, real kills and a lost scheduler."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dask_cluster import (
    ELSEWHERE,
    SUITE,
    Counting,
    ours,
    records,
    run,
    run_in_background,
    scheduler,
    scored,
    until,
    worker,
)

from impbench.errors import UnavailableError
from impbench.registry import load_file
from impbench.results.store import Store
from impbench.runner.run import Results
from impbench.worker import landlock

pytestmark = pytest.mark.slow

distributed = pytest.importorskip("distributed")


BATCHES = replace(
    SUITE, questions=(replace(SUITE.questions[0], datasets=("sim_batch[n_cells=40,n_genes=60]",)),)
)
METHODS = ("fine", "gene-mean[per=batch]", "permuted", "raises")
PROTOCOLS = ["simulated-truth", "clustering"]


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory, address: str) -> Path:
    """The folder of a run of many kinds of jobs on the cluster."""
    out = tmp_path_factory.mktemp("remote")
    run(out, address, *METHODS, "hoards", "looks", seeds=1, protocols=PROTOCOLS, suite=BATCHES)
    return out


def test_records_are_those_of_a_local_run_bit_for_bit(tmp_path: Path, remote: Path) -> None:
    run(tmp_path, None, *METHODS, seeds=1, protocols=PROTOCOLS, suite=BATCHES)
    here, there = Store(tmp_path), Store(remote)
    assert len(here.read().records) == 12
    for one in here.read().records:
        other = there.record(one.key)
        assert other is not None
        assert scored(other) == scored(one)
        assert (other.job, other.status, other.reason) == (one.job, one.status, one.reason)
        assert (other.info, other.versions, other.metrics) == (one.info, one.versions, one.metrics)
        assert (remote / "logs" / f"{one.key}.log").exists() == bool(one.log)
        pictures = here.picture(one.key), there.picture(one.key)
        assert (pictures[0] is None) == (pictures[1] is None) == (one.status != "ok")
        if pictures[0] is not None and pictures[1] is not None:
            assert all((pictures[0][name] == pictures[1][name]).all() for name in pictures[0])


def test_workers_import_no_method_and_score_with_what_was_shipped(
    tmp_path: Path, address: str
) -> None:
    notes = tmp_path / "notes"
    plugin = tmp_path / "notes_who.py"
    plugin.write_text(
        "import pathlib\n"
        "try:\n"
        f"    with open({str(notes)!r}, 'a') as notes:\n"
        "        notes.write(pathlib.Path('/proc/self/cmdline').read_text() + '\\n')\n"
        "except OSError:\n"
        "    pass  # a process that is kept apart\n"
        "from dataclasses import dataclass\n"
        "from impbench import Imputed, Imputer, hookimpl\n"
        "@dataclass(frozen=True)\n"
        "class Notes(Imputer):\n"
        "    name, summary = 'notes-who', 'Notes who imports it.'\n"
        "    def impute(self, observed, context):\n"
        "        return Imputed(observed.lognorm, 'lognorm')\n"
        "@hookimpl\n"
        "def impbench_imputers():\n"
        "    return [Notes]\n"
    )
    load_file(plugin)
    load_file(Path(__file__).parents[1] / "example_plugins" / "asks_again.py")
    table = run(tmp_path / "out", address, "notes-who", protocols=["asks-again"], seeds=1).scores
    assert set(table.status) == {"ok"}
    assert "extras" in set(table.metric)
    processes = notes.read_text().splitlines() if notes.exists() else []
    assert not [
        line for line in processes if "worker.worker" not in line and "worker.describe" not in line
    ]


def test_limits_are_the_workers(remote: Path) -> None:
    hoards = [record for record in Store(remote).read().records if record.job.imputer == "hoards"]
    # Nine tenths of the worker's 1 GB, for its one thread.
    assert all("more than the limit of 858 MiB" in record.reason for record in hoards)
    assert {record.status for record in hoards} == {"memory"}


def test_nothing_of_the_truth_lies_about_and_nothing_is_left(remote: Path, address: str) -> None:
    record = next(r for r in Store(remote).read().records if r.job.imputer == "looks")
    assert record.status == "ok", record.reason
    assert record.info["folder"].startswith("impbench-")
    assert landlock.abi() == 0 or record.info["lying"] == []
    with distributed.Client(address, set_as_default=False) as client:

        def left(dask_worker: Any) -> list[str]:
            folder = Path(dask_worker.local_directory)
            plugins = [name for name in dask_worker.plugins if "impbench" in name]
            return [*plugins, *(path.name for path in folder.glob("impbench-*"))]

        assert not any(client.run(left).values())


def test_killed_worker_costs_time_and_no_job(tmp_path: Path, address: str) -> None:
    told = Counting()
    with worker(address, tmp_path / "w", "--name", "victim") as victim:
        thread, outcome = run_in_background(
            tmp_path / "out", address, "slow", seeds=4, listener=told
        )
        until(lambda: victim.pid in {p.ppid() for p in ours()} or not thread.is_alive())
        victim.kill()
        thread.join(60)
    assert isinstance(outcome[0], Results), outcome
    assert set(outcome[0].scores.status) == {"ok"}
    keys = [record.key for record in told.records]
    assert len(keys) == len(set(keys)) == len(records(tmp_path / "out")) == 12
    until(lambda: not ours())


def waiting() -> set[int]:
    """Processes that started a job which has gone on for longer than a control's."""
    return {p.ppid() for p in ours() if time.time() - p.create_time() > 5}


def test_job_that_takes_its_workers_with_it_has_failed(tmp_path: Path) -> None:
    load_file(ELSEWHERE)
    with (
        scheduler(tmp_path, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0") as (_, address),
        worker(address, tmp_path / "a") as one,
        worker(address, tmp_path / "b") as two,
    ):
        thread, outcome = run_in_background(tmp_path / "out", address, "waits", seeds=1)
        until(lambda: waiting() or not thread.is_alive())
        victim = next(each for each in (one, two) if each.pid in waiting())
        victim.kill()
        thread.join(60)
    assert isinstance(outcome[0], Results), outcome
    (record,) = (r for r in Store(tmp_path / "out").read().records if r.job.imputer == "waits")
    assert record.status == "failed"
    assert "every worker that took it died (1 in all, the last one tcp://" in record.reason


def test_lost_scheduler_is_said_and_the_run_goes_on_later(tmp_path: Path, address: str) -> None:
    out = tmp_path / "out"
    with scheduler(tmp_path) as (process, lost), worker(lost, tmp_path / "w"):
        thread, outcome = run_in_background(out, lost, "fine", "slow", seeds=3)
        until(lambda: records(out) or not thread.is_alive())
        process.kill()
        thread.join(60)
        until(lambda: not ours())
    assert isinstance(outcome[0], UnavailableError)
    assert re.search(rf"scheduler {lost} was lost.* same command to go on", str(outcome[0]))
    kept = {path: path.read_bytes() for path in records(out)}
    assert 0 < len(kept) < 12
    table = run(out, address, "fine", "slow", seeds=3).scores
    assert set(table.status) == {"ok"}
    assert table.key.nunique() == 12
    assert all(path.read_bytes() == data for path, data in kept.items())


def test_runner_that_ends_ends_its_jobs(tmp_path: Path, address: str) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import dask_cluster as t\n"
        "from pathlib import Path\n"
        "from impbench.registry import load_file\n"
        "load_file(t.HOSTILE)\n"
        "t.run(Path(sys.argv[2]), sys.argv[3], 'hangs')\n"
    )
    # The second run finds what the first could not take with it.
    for sign in (signal.SIGKILL, signal.SIGINT):
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(Path(__file__).parent), str(tmp_path), address],
            stderr=subprocess.DEVNULL,
            # Shells start background jobs with Ctrl-C ignored, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        until(lambda: len({found.ppid() for found in ours()}) >= 2)
        process.send_signal(sign)
        process.wait(30)
        until(lambda: not ours())
    with distributed.Client(address, set_as_default=False) as client:
        until(lambda: not any(client.processing().values()))
