"""Runs on a real Dask scheduler with real worker processes, real kills and a lost scheduler."""

from __future__ import annotations

import gc
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

import impbench
from impbench.errors import ImpbenchError, InputError, UnavailableError
from impbench.executors.dask_scheduler import DaskScheduler
from impbench.plan.suite import Question, Suite
from impbench.registry import load_file
from impbench.results.record import Record
from impbench.results.store import Store
from impbench.runner.run import Results
from impbench.runner.settings import Settings, Silent
from impbench.worker import landlock
from impbench.worker.sandbox import MARK

pytestmark = pytest.mark.slow

distributed = pytest.importorskip("distributed")

HOSTILE = Path(__file__).parents[1] / "example_plugins" / "hostile.py"
ELSEWHERE = Path(__file__).parents[1] / "example_plugins" / "elsewhere.py"
OURS = "IMPBENCH_TEST_CLUSTER"
"""Inherited by every process of these tests; somebody else may run impbench on this machine."""
COST = ("wall-seconds", "cpu-seconds", "peak-memory")
SUITE = Suite(
    name="tiny",
    title="tiny",
    description="",
    questions=(Question(("sim_equal[n_cells=40,n_genes=60]",), ("simulated-truth", "clustering")),),
    imputers=(),
    seeds=2,
    controls=False,
)


@contextmanager
def started(module: str, *options: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of Dask's programs, with a group of its own that is ended in the end."""
    process = subprocess.Popen(
        # -P: the folder that tests are started in may hold another copy of impbench.
        [sys.executable, "-P", "-m", f"distributed.cli.{module}", *options],
        env={**os.environ, OURS: str(os.getpid()), "OMP_NUM_THREADS": "1", **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def scheduler(
    folder: Path, *options: str, **variables: str
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start a scheduler; give its process and address."""
    file = folder / "scheduler.json"
    where = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
    with started("dask_scheduler", *where, *options, **variables) as process:
        until(lambda: file.exists() and "address" in file.read_text())
        found = re.search(r'"address": "([^"]+)"', file.read_text())
        assert found is not None
        yield process, found[1]


@contextmanager
def worker(
    address: str, folder: Path, *options: str, **variables: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a worker with one thread, which restarts nothing."""
    fixed = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(folder))
    with started("dask_worker", address, *fixed, *options, **variables) as process:
        yield process


def until(what: Callable[[], object], seconds: float = 40.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.15)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A scheduler with two workers, each a process with a folder of its own."""
    load_file(HOSTILE)
    load_file(ELSEWHERE)
    folder = tmp_path_factory.mktemp("cluster")
    with ExitStack() as stack:
        _, address = stack.enter_context(scheduler(folder))
        for name in ("a", "b"):
            options = ("--memory-limit", "1GB", "--name", name)
            stack.enter_context(worker(address, folder / name, *options))
        with distributed.Client(address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=40)
        yield address


class Counting(Silent):
    """Remembers the records as they are told."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def finished(self, record: Record) -> None:
        self.records.append(record)


def run(out: Path, address: str | None, *imputers: str, **options: Any) -> Results:
    executor: str | DaskScheduler = "local" if address is None else f"dask[scheduler={address}]"
    executor = options.pop("executor", executor)
    listener = options.pop("listener", None)
    seeds = options.pop("seeds", 2)
    protocols = options.pop("protocols", ["simulated-truth"])
    settings = Settings(threads=1, timeout=60.0, **options)
    return impbench.run(
        SUITE,
        out,
        imputers=imputers,
        protocols=protocols,
        report=False,
        seeds=seeds,
        executor=executor,
        settings=settings,
        listener=listener,
    )


def run_in_background(*arguments: Any, **options: Any) -> tuple[threading.Thread, list[Any]]:
    """Start `run` in a thread; its result or error is put into the list."""
    outcome: list[Any] = []

    def call() -> None:
        try:
            outcome.append(run(*arguments, **options))
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    return thread, outcome


def records(out: Path) -> list[Path]:
    return sorted((out / "records").glob("*.json"))


def scored(record: Record) -> dict[str, float]:
    return {name: value for name, value in record.scores.items() if name not in COST}


def ours() -> list[psutil.Process]:
    """Sandboxed processes of these tests that are alive."""
    found = []
    for process in psutil.process_iter():
        try:
            environ = process.environ()
            if MARK in environ and environ.get(OURS) == str(os.getpid()):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory, address: str) -> Path:
    """The folder of a run of many kinds of jobs on the cluster."""
    out = tmp_path_factory.mktemp("remote")
    methods = ("fine", "permuted", "raises", "hoards", "looks")
    run(out, address, *methods, seeds=1, protocols=["simulated-truth", "clustering"])
    return out


def test_records_are_those_of_a_local_run_bit_for_bit(tmp_path: Path, remote: Path) -> None:
    methods = ("fine", "permuted", "raises")
    run(tmp_path, None, *methods, seeds=1, protocols=["simulated-truth", "clustering"])
    here, there = Store(tmp_path), Store(remote)
    assert len(here.read().records) == 10
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
        line for line in processes if "runner.worker" not in line and "runner.describe" not in line
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
        "import test_cluster as t\n"
        "from pathlib import Path\n"
        "t.load_file(t.HOSTILE)\n"
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


def test_worker_with_other_code_is_named(tmp_path: Path, address: str) -> None:
    copy = tmp_path / "other" / "impbench"
    shutil.copytree(Path(impbench.__file__).parent, copy)
    text = (copy / "version.py").read_text()
    (copy / "version.py").write_text(text.replace(impbench.__version__, "0.0.1"))
    where = str(copy.parent)
    with distributed.Client(address, set_as_default=False) as client:
        known = set(client.nthreads())
        thread, outcome = run_in_background(tmp_path / "out", address, "slow", seeds=9)
        until(lambda: ours() or not thread.is_alive())
        with worker(address, tmp_path / "w", PYTHONPATH=where):
            until(lambda: set(client.nthreads()) - known)
            (stranger,) = set(client.nthreads()) - known
            thread.join(60)
            with pytest.raises(InputError, match=f"worker {stranger}: impbench is 0.0.1"):
                run(tmp_path / "out", address, "fine")
    assert isinstance(outcome[0], InputError), outcome
    assert f"worker {stranger} cannot do its part: impbench is 0.0.1" in str(outcome[0])


def test_gpu_jobs_go_where_a_gpu_is_announced(tmp_path: Path, address: str) -> None:
    with pytest.raises(UnavailableError, match=rf"no worker of {address} announces a GPU; start"):
        run(tmp_path, address, "tells-gpu", device="cuda")
    gpu = ("--resources", "GPU=1")
    with worker(address, tmp_path / "w", *gpu, CUDA_VISIBLE_DEVICES="GPU-7"):
        with distributed.Client(address, set_as_default=False) as client:
            client.wait_for_workers(3, timeout=40)
        run(tmp_path / "out", address, "tells-gpu", "fine", seeds=4, device="cuda")
    store = Store(tmp_path / "out")
    told = [record for record in store.read().records if record.job.imputer == "tells-gpu"]
    assert {(record.status, record.info["visible"]) for record in told} == {("ok", "GPU-7")}
    fine = [record.cost for record in store.read().records if record.job.imputer == "fine"]
    assert {cost.device for cost in fine if cost} == {"cpu"}


def test_encrypted_scheduler_takes_only_who_has_the_certificate(tmp_path: Path) -> None:
    load_file(HOSTILE)
    temporary = distributed.Security.temporary()
    files = {"ca-file": "tls_ca_file", "cert": "tls_worker_cert", "key": "tls_worker_key"}
    paths = {name: tmp_path / name for name in files}
    for name, attribute in files.items():
        paths[name].write_text(getattr(temporary, attribute))
    options = [text for name in files for text in (f"--tls-{name}", str(paths[name]))]
    with (
        scheduler(tmp_path, *options, "--protocol", "tls") as (_, address),
        worker(address, tmp_path / "w", *options),
    ):
        assert address.startswith("tls://")
        tls = {f"tls_{name.replace('-', '_')}": str(path) for name, path in paths.items()}
        with pytest.raises(InputError, match="cannot connect to the Dask scheduler"):
            run(tmp_path / "out", address, "fine")
        encrypted = DaskScheduler(scheduler=address, **tls)
        table = run(tmp_path / "out", None, "fine", seeds=1, executor=encrypted).scores
    assert set(table.status) == {"ok"}


def test_connection_that_fails_leaves_no_thread_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Closed at once, not when it is collected: that could be while another client starts.
    monkeypatch.setattr("impbench.executors.dask.cluster.CONNECT_SECONDS", 1)
    before = {thread.ident for thread in threading.enumerate()}
    gc.disable()
    try:
        for address in ("tcp://127.0.0.1:9", "tls://127.0.0.1:9", "nonsense://127.0.0.1:9"):
            with pytest.raises(ImpbenchError), DaskScheduler(scheduler=address).connect(1):
                pass
            left = [t.name for t in threading.enumerate() if t.ident not in before]
            assert left == []
    finally:
        gc.enable()


def test_scheduler_without_workers_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_file(HOSTILE)
    monkeypatch.setattr(DaskScheduler, "patience", 0.5)
    with (
        scheduler(tmp_path) as (_, address),
        pytest.raises(UnavailableError, match=rf"no worker is connected to {address}; start one"),
    ):
        run(tmp_path / "out", address, "fine")


def test_nobody_at_the_address_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_file(HOSTILE)
    monkeypatch.setattr("impbench.executors.dask.cluster.CONNECT_SECONDS", 1)
    with pytest.raises(
        UnavailableError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"
    ):
        run(tmp_path, "tcp://127.0.0.1:9", "fine")
