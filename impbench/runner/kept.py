"""The worker process of one slot, kept for as long as jobs of the same kind of imputer come."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from impbench.runner.sandbox import MARK, Launch, Limits, Outcome, start, watch


class KeptWorker:
    """A handle on a worker that forks for each job, if it may; else it is a new one each time."""

    def __init__(self) -> None:
        self._purpose: object = None
        self._service: _Service | None = None

    def run_limited(
        self,
        command: Sequence[str],
        request: Path,
        purpose: object,
        launch: Launch,
        limits: Limits,
        stop: threading.Event,
    ) -> Outcome:
        """Carry out `request` as `impbench.runner.sandbox.run_limited` would.

        Parameters
        ----------
        command
            Starts the worker, without the request.
        purpose
            What the worker must have been started for in order to be used again.
        """
        job = {
            "request": str(request),
            "folder": str(launch.cwd),
            "log": str(launch.log),
            "variables": {MARK: launch.mark},
        }
        if purpose != self._purpose or self._service is None or not self._service.take(job):
            self.close()
            self._service = _Service([*command, str(request)], launch)
            self._purpose = purpose
            self._service.take(job)
        work, again = _Job(self._service, launch.mark), False
        try:
            outcome = watch(work, limits, stop)
            again = work.reported and outcome.ended == "exit"
        finally:
            if not again:
                self.close()
        return outcome

    def close(self) -> None:
        """End the process that waits for jobs."""
        if self._service is not None:
            self._service.close()
        self._service = None


class _Service:
    """The process that imports, prepares and forks."""

    def __init__(self, command: Sequence[str], launch: Launch) -> None:
        self.mark = f"kept-{uuid.uuid4().hex}"
        self.channel, theirs = socket.socketpair()
        with theirs:
            self.process: subprocess.Popen[bytes] = start(
                [*command, str(theirs.fileno())],
                replace(launch, mark=self.mark),
                descriptors=[theirs.fileno()],
            )

    def take(self, job: Mapping[str, object]) -> bool:
        """Send a job; False if the process is no more."""
        self.channel.settimeout(None)
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


class _Job:
    """One job that a service was given."""

    def __init__(self, service: _Service, mark: str) -> None:
        self._service = service
        self._mark = mark
        self._unread = b""
        self.pid = service.process.pid
        self.reported = False

    @property
    def marks(self) -> tuple[str, ...]:
        """Empty once the service told how the job ended: it ended what was left, and lives on."""
        return () if self.reported else (self._mark, self._service.mark)

    def wait(self, seconds: float) -> int | None:
        """Return the job's exit status, or that of the service if it did not fork."""
        self._service.channel.settimeout(seconds)
        try:
            received = self._service.channel.recv(4096)
        except TimeoutError:
            return None
        except ConnectionResetError:
            # It ended without having read what it was sent, because it did not fork.
            received = b""
        if not received:
            try:
                return self._service.process.wait(seconds)
            except subprocess.TimeoutExpired:
                return None
        *lines, self._unread = (self._unread + received).split(b"\n")
        for message in map(json.loads, lines):
            self.pid = message.get("pid", self.pid)
            if "status" in message:
                self.reported = True
                return int(message["status"])
        return None
