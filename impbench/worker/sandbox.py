"""Run a command within limits on time and memory, and leave nothing of it running."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import psutil

from impbench.worker.orphans import end_orphans, started

MARK = "IMPBENCH_TASK"
"""Environment variable that every process of a task inherits; strays are found by it."""

FASTEST_GROWTH = 8 * 2**30
"""Bytes of memory that a process is taken to fill in a second at most."""


@dataclass(frozen=True)
class Launch:
    """How a command is started."""

    mark: str
    """Unique name of the task; every process of it carries the name in its environment."""
    cwd: Path
    """Working directory."""
    env: Mapping[str, str]
    """Environment."""
    log: Path
    """Where everything it prints goes."""


@dataclass(frozen=True)
class Limits:
    """What one process tree may use."""

    timeout: float | None = None
    """Wall-clock seconds, or None."""
    memory: int | None = None
    """Resident bytes of the whole tree, or None."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    ended: Literal["exit", "timeout", "memory", "stopped"]
    """``exit`` by itself; ``timeout`` or ``memory`` past a limit; ``stopped`` by us."""
    status: int
    """Exit status; negative is a signal."""
    wall_seconds: float
    peak_memory: int
    """Largest resident size of the tree that was seen, in bytes."""
    cpu_seconds: float
    """Of every process of the tree, as last seen."""


def run_limited(
    command: Sequence[str], launch: Launch, limits: Limits, stop: threading.Event
) -> Outcome:
    """Run `command` in a session of its own; setting `stop` ends it."""
    process = start(command, launch)
    try:
        return watch(_Single(process, launch.mark), limits, stop)
    finally:
        if process.stdin is not None:
            process.stdin.close()


def start(
    command: Sequence[str], launch: Launch, descriptors: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own; it is to end when its standard input closes."""
    with launch.log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=launch.cwd,
            env={**launch.env, MARK: launch.mark},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=tuple(descriptors),
        )
    started.add(process)
    return process


class Watchable(Protocol):
    """What can be watched: a process that leads a session of its own."""

    @property
    def pid(self) -> int:
        """Of the process that does the work."""

    @property
    def marks(self) -> Sequence[str]:
        """Marks that nothing carries which is to live on."""

    def wait(self, seconds: float) -> int | None:
        """Return its exit status; None if it still runs after so long."""


def watch(work: Watchable, limits: Limits, stop: threading.Event) -> Outcome:
    """Wait until `work` ends, end it when it goes beyond a limit, and kill what is left of it."""
    start = time.monotonic()
    tree = _Tree()
    ended: Literal["exit", "timeout", "memory", "stopped"] = "exit"
    pause = 0.05
    status = None
    try:
        while (status := work.wait(pause)) is None:
            memory = tree.measure(work.pid)
            pause = min(pause * 2, _longest_pause(tree, limits))
            if limits.memory is not None and memory > limits.memory:
                ended = "memory"
                break
            if limits.timeout is not None and time.monotonic() - start > limits.timeout:
                ended = "timeout"
                break
            if stop.is_set():
                ended = "stopped"
                break
    finally:
        tree.kill(work.pid, work.marks)
        while status is None:
            status = work.wait(1.0)
    return Outcome(ended, status, time.monotonic() - start, tree.peak, sum(tree.cpu.values()))


def _longest_pause(tree: _Tree, limits: Limits) -> float:
    """Return the seconds until `tree` must be looked at again.

    Every look interrupts the method that is timed, so a process by itself, whose peak the system
    keeps and whose limit is far, is looked at seldom.
    """
    if len(tree.seen) > 1:
        return 0.1
    room = math.inf if limits.memory is None else limits.memory - tree.peak
    return min(max(0.1, room / FASTEST_GROWTH), 0.5)


class _Single:
    """A process that does one thing and ends."""

    def __init__(self, process: subprocess.Popen[bytes], mark: str) -> None:
        self._process = process
        self.pid = process.pid
        self.marks = (mark,)

    def wait(self, seconds: float) -> int | None:
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None


class _Tree:
    """A process and every descendant ever seen of it."""

    def __init__(self) -> None:
        self.pid = 0
        self.peak = 0
        self.seen: dict[int, psutil.Process] = {}
        self.cpu: dict[int, float] = {}

    def measure(self, pid: int) -> int:
        """Return the resident bytes of the tree below `pid`; if that is a new one, start afresh."""
        self._follow(pid)
        total = 0
        for each in (pid, *descendants(pid)):
            with contextlib.suppress(psutil.Error):
                process = self.seen.get(each) or self.seen.setdefault(each, psutil.Process(each))
                total += process.memory_info().rss
                self.cpu[each] = max(self.cpu.get(each, 0.0), cpu_seconds(each))
        self.peak = max(self.peak, total)
        return total

    def _follow(self, pid: int) -> None:
        if pid != self.pid:
            self.pid, self.peak, self.seen, self.cpu = pid, 0, {}, {}

    def kill(self, pid: int, marks: Sequence[str]) -> None:
        """Kill the group, every descendant seen, and strays that carry a mark of the task."""
        self._follow(pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        for process in self.seen.values():
            with contextlib.suppress(psutil.Error):
                if process.pid != pid:
                    process.kill()
        end_orphans()
        if not marks:
            return
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(MARK) in marks:
                    process.kill()


def descendants(pid: int) -> list[int]:
    """Return the processes below `pid`; where Linux lists a process's children, by its lists.

    To look for them among all processes of the machine, ten times a second, would take the method
    that is timed a few percent of a core.
    """
    if not Path(f"/proc/{pid}/task/{pid}/children").exists():
        with contextlib.suppress(psutil.Error):
            return [process.pid for process in psutil.Process(pid).children(recursive=True)]
    found: list[int] = []
    parents = [pid]
    while parents:
        # A process may end while it is looked at.
        with contextlib.suppress(OSError):
            tasks = f"/proc/{parents.pop()}/task"
            for task in os.listdir(tasks):
                with open(f"{tasks}/{task}/children") as listing:
                    children = list(map(int, listing.read().split()))
                found += children
                parents += children
    return found


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a living process: all its threads, the ended ones too.

    On Linux in nanoseconds, elsewhere as finely as the system tells; 0 for one that is gone.
    """
    if sys.platform.startswith("linux"):
        per_process = 2
        with contextlib.suppress(OSError):
            # How Linux numbers a process's clock: clock_getcpuclockid(3).
            return time.clock_gettime((~pid << 3) | per_process)
        return 0.0
    with contextlib.suppress(psutil.Error):
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)
    return 0.0


def reaped_seconds(pid: int) -> float:
    """Return the CPU seconds of children of `pid` that ended and were waited for, and of theirs."""
    with contextlib.suppress(psutil.Error):
        times = psutil.Process(pid).cpu_times()
        return float(getattr(times, "children_user", 0) + getattr(times, "children_system", 0))
    return 0.0
