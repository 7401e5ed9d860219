"""Keep the worker of one slot for further jobs of our own methods; use others once."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from impbench.worker.blas_threads import without_blas_threads
from impbench.worker.fork_server import can_watch
from impbench.worker.handover import give_files
from impbench.worker.sandbox import (
    MARK,
    Launch,
    Limits,
    Outcome,
    cpu_seconds,
    descendants,
    reaped_seconds,
    start,
    watch,
)

_LONGEST_MESSAGE = 2**16
_PATIENCE = 10.0
"""Seconds in which a kept worker must have noticed that its job is over."""


@dataclass(frozen=True)
class Spent:
    """What an imputation cost, from when its data were handed over until it had its answer."""

    wall_seconds: float
    cpu_seconds: float
    """Of all processes of its tree."""
    peak_memory: int
    """Largest resident size of its main process, in bytes; 0 where the system does not tell."""


@dataclass(frozen=True)
class Finished:
    """How a job ended."""

    outcome: Outcome
    had_data: bool
    """Whether the worker got so far that it was given its data."""
    spent: Spent | None
    """None where it ended in any way but by itself, or had no data."""


@dataclass(frozen=True)
class Order:
    """What a worker is to do."""

    command: Sequence[str]
    """Starts it, without the arguments below."""
    request: Mapping[str, Any]
    """JSON-ready; see `impbench.worker.worker`."""
    path: Path
    """File that the request is written to."""
    view: Path
    """Folder with what the imputer may see."""
    kind: object
    """Equal where one process can serve both; None where the worker is to be used once."""


class ReusableWorker:
    """A handle on a worker that forks for each job, if it may; else it is a new one each time."""

    def __init__(self) -> None:
        self._kind: object = None
        self._service: _Service | None = None
        self._alone: list[object] = []

    def run_limited(
        self, order: Order, launch: Launch, limits: Limits, stop: threading.Event
    ) -> Finished:
        """Carry out `order`; setting `stop` ends it."""
        if order.kind is not None and order.kind not in self._alone and can_watch():
            finished = self._forked(order, launch, limits, stop)
            if finished is not None:
                return finished
            self._alone.append(order.kind)
        self.close()
        _write(order, kept=False)
        service = _Service([*order.command, str(order.path)], launch)
        job = _Job(service, order.view, launch.mark, trusted=False)
        try:
            outcome = watch(job, limits, stop)
        finally:
            service.close()
        return job.finished(outcome)

    def close(self) -> None:
        """End the process; it has no job now."""
        service, self._service = self._service, None
        if service is not None:
            service.close()

    def _forked(
        self, order: Order, launch: Launch, limits: Limits, stop: threading.Event
    ) -> Finished | None:
        """Have the kept process fork for a job; None where it may not."""
        _write(order, kept=True)
        message = {
            "request": str(order.path),
            "folder": str(launch.cwd),
            "log": str(launch.log),
            "variables": {MARK: launch.mark},
        }
        if order.kind != self._kind or self._service is None or not self._service.take(message):
            self.close()
            forking = replace(launch, env=without_blas_threads(launch.env))
            self._service = _Service([*order.command, str(order.path)], forking)
            self._kind = order.kind
            self._service.take(message)
        job, again = _Job(self._service, order.view, launch.mark, trusted=True), False
        try:
            outcome = watch(job, limits, stop)
            again = outcome.ended == "exit" and job.settled()
        finally:
            if not again:
                self.close()
        return None if job.refused else job.finished(outcome)


def _write(order: Order, kept: bool) -> None:
    text = json.dumps({**order.request, "kept": kept})
    order.path.write_text(text, encoding="utf-8")


class _Service:
    """A worker process and the channel to it."""

    def __init__(self, command: Sequence[str], launch: Launch) -> None:
        self.mark = f"kept-{uuid.uuid4().hex}"
        self.channel, theirs = socket.socketpair()
        with theirs:
            self.process: subprocess.Popen[bytes] = start(
                [*command, str(theirs.fileno())],
                replace(launch, mark=self.mark),
                descriptors=[theirs.fileno()],
            )
        # Where the system has them: an end is noticed at once, not when it is looked for.
        self.exit = os.pidfd_open(self.process.pid) if can_watch() else None

    def take(self, job: Mapping[str, object]) -> bool:
        """Send a job; False if the process is no more."""
        try:
            self.channel.sendall(json.dumps(job).encode() + b"\n")
        except OSError:
            return False
        return True

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.channel.close()
        if self.exit is not None:
            os.close(self.exit)


@dataclass(frozen=True)
class _Reading:
    """The clocks of a tree of processes at one time."""

    time: float
    own: dict[int, float]
    """CPU seconds of each process."""
    reaped: dict[int, float]
    """Those of children that it waited for."""

    @classmethod
    def of(cls, pid: int) -> _Reading:
        now, pids = time.monotonic(), [pid, *descendants(pid)]
        own = {each: cpu_seconds(each) for each in pids}
        return cls(now, own, {each: reaped_seconds(each) for each in pids})

    def since(self, begun: _Reading) -> float:
        """Return the CPU seconds that the tree used since an earlier reading."""
        reaped = sum(self.reaped[pid] - begun.reaped.get(pid, 0.0) for pid in self.reaped)
        own = sum(self.own[pid] - begun.own.get(pid, 0.0) for pid in self.own)
        # Who ended meanwhile brought along, to who waited for it, what it had used before.
        gone = sum(begun.own[pid] + begun.reaped[pid] for pid in begun.own if pid not in self.own)
        return own + reaped - min(gone, reaped)


class _Job:
    """One job that a worker was given.

    Parameters
    ----------
    trusted
        Whether what comes over the channel comes from our own code: a method can say what it likes,
        and gains nothing by what is then believed, that it is ready or done.
    """

    def __init__(self, service: _Service, view: Path, mark: str, trusted: bool) -> None:
        self.pid = service.process.pid
        self.refused = False
        self._service = service
        self._view = view
        self._mark = mark
        self._trusted = trusted
        self._open = True
        self._unread = b""
        self._begun: _Reading | None = None
        self._done: _Reading | None = None
        self._status: int | None = None
        self._peak = 0

    @property
    def marks(self) -> tuple[str, ...]:
        """Empty for a fork of a process that ends what is left of it, and lives on."""
        alive = self._trusted and (self._status is not None or self._done is not None)
        return () if alive else (self._mark, self._service.mark)

    def wait(self, seconds: float) -> int | None:
        """Return the job's exit status, 0 as soon as it says that it is done."""
        deadline = time.monotonic() + seconds
        late = False
        while True:
            if self._done is not None:
                return 0
            if self._status is not None:
                return self._status
            if late:
                # Whoever floods the channel is watched all the same.
                return None
            pause = max(0.0, deadline - time.monotonic())
            late = pause == 0.0
            channel = self._service.channel.fileno() if self._open else None
            watched = [fd for fd in (channel, self._service.exit) if fd is not None]
            if not watched:
                return self._ended(pause)
            ready = _readable(watched, pause)
            if channel in ready:
                self._receive()
            elif ready or (self._service.exit is None and self._ended(0) is not None):
                return self._ended(1.0)
            else:
                return None

    def settled(self) -> bool:
        """Wait until the process that forked has seen the job's end; False if it does not."""
        deadline = time.monotonic() + _PATIENCE
        while self._status is None and self._open and time.monotonic() < deadline:
            if _readable([self._service.channel.fileno()], 1.0):
                self._receive()
        return self._status is not None and not self.refused

    def finished(self, outcome: Outcome) -> Finished:
        """Return how the job ended, and what it cost where it ended by itself."""
        begun, done = self._begun, self._done
        if begun is None or done is None or outcome.ended != "exit":
            return Finished(outcome, begun is not None, None)
        # What ended unseen by its parent is in no account but that of who looked.
        seen = outcome.cpu_seconds - sum(begun.own.values())
        cpu = max(0.0, done.since(begun), seen)
        return Finished(outcome, True, Spent(done.time - begun.time, cpu, self._peak))

    def _ended(self, seconds: float) -> int | None:
        try:
            return self._service.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def _receive(self) -> None:
        try:
            received = self._service.channel.recv(4096)
        except ConnectionResetError:
            # It ended without having read what it was sent.
            received = b""
        if not received or len(self._unread) > _LONGEST_MESSAGE:
            self._open = False
            return
        *lines, self._unread = (self._unread + received).split(b"\n")
        for line in lines:
            with contextlib.suppress(ValueError):
                message = json.loads(line)
                if isinstance(message, dict):
                    self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        if self._trusted:
            self.pid = message.get("pid", message.get("ready", self.pid))
            if "alone" in message:
                self.refused, self._status = True, 1
            self._status = message.get("status", self._status)
            # Who ends at once is gone before anyone reads how much it occupied.
            self._peak = max(self._peak, message.get("peak", 0))
        if "ready" in message and self._begun is None:
            self._begun = _Reading.of(self.pid)
            with contextlib.suppress(OSError):
                give_files(self._service.channel, self._view)
        if "done" in message and self._begun is not None and self._done is None:
            self._done = _Reading.of(self.pid)
            self._peak = max(self._peak, _peak_memory(self.pid))


def _readable(descriptors: Sequence[int], seconds: float) -> list[int]:
    """Wait until one of `descriptors` can be read, or has come to its end; return which."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return [descriptor for descriptor, _ in poll.poll(1000 * seconds)]


def _peak_memory(pid: int) -> int:
    """Largest resident size of a living process so far, in bytes (Linux)."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
