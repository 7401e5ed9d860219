"""Start a scoring process and ask it: one request per imputation.

It keeps the libraries that metrics need loaded, and it is a process of its own so that a metric
that crashes or runs out of memory costs one job.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from impbench.errors import ImpbenchError
from impbench.scoring.imports import Imports
from impbench.scoring.score import ScoreReply, ScoreRequest, score
from impbench.worker.isolation import make_unreadable

LOADING_LIMIT = 600.0
"""Seconds that a scoring process may take to import metrics; no method's time limit counts them."""


class ScoringError(ImpbenchError):
    """The scoring process could not score an imputation."""


class Scorer:
    """A handle on one scoring process."""

    def __init__(
        self,
        env: Mapping[str, str],
        log: Path,
        imports: Imports = Imports(),  # noqa: B008
        descriptors: Sequence[int] = (),
    ) -> None:
        self._env = dict(env)
        self._log = log
        self._descriptors = tuple(descriptors)
        self._imports = imports.to_json()
        self._process: subprocess.Popen[str] | None = None
        self._is_ready = False
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the process, which then loads what metrics need; else the first `score` does."""
        with self._lock:
            self._running()

    def score(self, request: ScoreRequest, timeout: float | None = None) -> ScoreReply:
        """Have one imputation scored.

        Parameters
        ----------
        timeout
            Wall-clock seconds, or None.

        Raises
        ------
        ScoringError
            If the imputation breaks the contract, a metric fails or takes too long, or the process
            dies.
        """
        with self._lock:
            process = self._running()
            if not self._is_ready:
                self._answer(process, "", LOADING_LIMIT, "loading what metrics need")
                self._is_ready = True
            line = self._answer(process, json.dumps(vars(request)) + "\n", timeout, "scoring")
        reply = json.loads(line)
        if "error" in reply:
            raise ScoringError(reply["error"])
        bounds = {name: (low, high) for name, (low, high) in reply["intervals"].items()}
        return ScoreReply(reply["scores"], reply["info"], bounds, tuple(reply["notes"]))

    def _answer(
        self, process: subprocess.Popen[str], question: str, limit: float | None, doing: str
    ) -> str:
        """Return the line that answers; the first of all answers no question, but says "ready"."""
        assert process.stdin is not None
        assert process.stdout is not None
        with _killing(process, after=limit) as late:
            try:
                process.stdin.write(question)
                process.stdin.flush()
                line = process.stdout.readline()
            except (OSError, ValueError):  # it ended, or was closed by another thread
                line = ""
        if not line:
            self.close()
            if late.is_set():
                raise ScoringError(f"{doing} took longer than the limit of {limit:g} s")
            raise ScoringError(
                f"the scoring process died while {doing} (out of memory, or see logs/scoring.log)"
            )
        return line

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self._is_ready = False
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "impbench.scoring.scorer", self._imports],
                    env=self._env,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    start_new_session=True,
                    pass_fds=self._descriptors,
                )
        return self._process

    def close(self) -> None:
        """End the process; safe to call from another thread."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(OSError):
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()


@contextlib.contextmanager
def _killing(process: subprocess.Popen[str], after: float | None) -> Iterator[threading.Event]:
    """Kill `process` if the block takes longer than `after` seconds; the event says so."""
    late = threading.Event()

    def kill() -> None:
        late.set()
        process.kill()

    timer = None if after is None else threading.Timer(after, kill)
    if timer is not None:
        timer.start()
    try:
        yield late
    finally:
        if timer is not None:
            timer.cancel()


def main(imports: Imports) -> None:
    """Answer requests until standard input closes."""
    replies = _claim_stdout()
    make_unreadable()
    known = imports.registry()
    print(json.dumps({"ready": True}), file=replies, flush=True)
    for line in sys.stdin:
        fields = json.loads(line)
        request = ScoreRequest(**{**fields, "metrics": tuple(fields["metrics"])})
        try:
            reply = score(request, known.protocol(request.protocol), known.metrics)
            answer = vars(reply)
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        replies.write(json.dumps(answer, default=str) + "\n")
        replies.flush()


def _claim_stdout() -> IO[str]:
    """Keep the pipe for replies alone; whatever a metric prints goes to standard error."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return replies


if __name__ == "__main__":
    main(Imports.from_json(sys.argv[1]))
