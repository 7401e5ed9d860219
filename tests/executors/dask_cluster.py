"""A real Dask cluster of processes for tests, runs on it, and who of ours is alive."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

import impbench
from impbench.executors.dask_scheduler import DaskScheduler
from impbench.plan.suite import read_suite
from impbench.results.record import Record
from impbench.runner.run import Results
from impbench.runner.settings import Listener, Settings
from impbench.worker.sandbox import MARK

HOSTILE = Path(__file__).parents[1] / "example_plugins" / "hostile.py"
ELSEWHERE = Path(__file__).parents[1] / "example_plugins" / "elsewhere.py"
OURS = "IMPBENCH_TEST_CLUSTER"
"""Inherited by every process of these tests; somebody else may run impbench on this machine."""
COST = ("wall-seconds", "cpu-seconds", "peak-memory")
SUITE = read_suite(Path(__file__).parents[1] / "tiny.toml")


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


class Counting(Listener):
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
    suite = options.pop("suite", SUITE)
    settings = Settings(threads=1, timeout=60.0, **options)
    return impbench.run(
        suite,
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
