"""Run a command within limits on time and memory, and leave nothing of it running."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

MARK = "IMPBENCH_TASK"
"""Environment variable that every process of a task inherits; strays are found by it."""


@dataclass(frozen=True)
class Limits:
    """What one process tree may use.

    Attributes
    ----------
    timeout
        Wall-clock seconds, or None.
    memory
        Resident bytes of the whole tree, or None.
    """

    timeout: float | None = None
    memory: int | None = None


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes
    ----------
    ended
        ``exit`` by itself; ``timeout`` or ``memory`` past a limit; ``stopped`` by us.
    status
        Exit status; negative is a signal.
    peak_memory
        Largest resident size of the tree that was seen, in bytes.
    """

    ended: Literal["exit", "timeout", "memory", "stopped"]
    status: int
    wall_seconds: float
    peak_memory: int


def run_limited(
    command: Sequence[str],
    *,
    mark: str,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    limits: Limits,
    stop: threading.Event,
) -> Outcome:
    """Run `command` in a session of its own, everything it prints going to `log`.

    Parameters
    ----------
    mark
        Unique name of the task.
    stop
        Setting it ends the command.
    """
    start = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**env, MARK: mark},
            # Kept open: the worker ends itself when it closes, that is when we are gone.
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    tree = _Tree(process.pid)
    ended: Literal["exit", "timeout", "memory", "stopped"] = "exit"
    pause = 0.01
    try:
        while True:
            try:
                process.wait(pause)
                break
            except subprocess.TimeoutExpired:
                pass
            pause = min(pause * 1.3, 0.1)
            memory = tree.measure()
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
        tree.kill(mark)
        process.wait()
        if process.stdin is not None:
            process.stdin.close()
    return Outcome(ended, process.returncode, time.monotonic() - start, tree.peak)


class _Tree:
    """A process and every descendant ever seen of it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.peak = 0
        self.seen: dict[int, psutil.Process] = {}

    def measure(self) -> int:
        """Return the resident bytes of the whole tree."""
        total = 0
        with contextlib.suppress(psutil.Error):
            root = psutil.Process(self.pid)
            for process in (root, *root.children(recursive=True)):
                self.seen[process.pid] = process
                with contextlib.suppress(psutil.Error):
                    total += process.memory_info().rss
        self.peak = max(self.peak, total)
        return total

    def kill(self, mark: str) -> None:
        """Kill the group, every descendant seen, and strays that carry the task's mark."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        for process in self.seen.values():
            with contextlib.suppress(psutil.Error):
                if process.pid != self.pid:
                    process.kill()
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(MARK) == mark:
                    process.kill()
