"""Call R functions in a child process, so that what happens in R stays there."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, NoReturn, Self

from impbench.errors import ImpbenchError, InputError, UnavailableError
from impbench.external.r.packages import ENVIRONMENT, RPackage, lack_of_r

PAUSE = 0.5
"""Seconds between two calls of `on_wait`."""


class RError(ImpbenchError, RuntimeError):
    """R stopped with an error, or its process ended; the message holds R's own words."""


class RSession:
    """R in a child process, from construction until `close`; a context manager closes it.

    An endless loop, a crash or ``quit()`` in R ends that process at most. Everything R prints goes
    to standard error, warnings as they come. The process ends with ours, however that happens, and
    takes the processes that R started with it.

    Parameters
    ----------
    scratch
        Existing folder that R works in; its temporary files lie there too, and stay.
    packages
        Attached as ``library()`` does.

    Raises
    ------
    UnavailableError
        If rpy2, R or a package is missing or does not load; says what installs it.
    RError
        If R's process ends while it starts.
    """

    versions: Mapping[str, str]
    """Of R, rpy2 and each of the packages."""

    def __init__(self, scratch: Path, *packages: RPackage) -> None:
        lacks = [lack_of_r(), *(package.lack() for package in packages)]
        if lack := next(filter(None, lacks), None):
            raise UnavailableError(lack)
        self.scratch, self.packages = scratch, packages
        self._connection, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "impbench.external.r.process", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=scratch,
                env={**os.environ, **ENVIRONMENT, "TMPDIR": str(scratch.absolute())},
                stdin=subprocess.DEVNULL,
                # Standard output belongs to our caller.
                stdout=2,
                # Ctrl-C in a terminal reaches us alone, and we end it.
                start_new_session=True,
            )
        try:
            self.versions = self._ask(packages)
        except BaseException:
            self.close()
            raise

    def call(
        self,
        function: str,
        arguments: Mapping[str, Any],
        *,
        seed: int | None = None,
        on_wait: Callable[[], None] = lambda: None,
    ) -> Any:
        """Call an R function and return its result; `impbench.external.r.values` converts.

        Parameters
        ----------
        function
            R source of a function: ``"stats::median"``, ``"function(x) x[1, ] * 2"``.
        arguments
            By name.
        seed
            For ``set.seed``, with R's default generators, before the call; None leaves it.
        on_wait
            Called about twice a second meanwhile. If it raises, as `Context.progress` may, the
            session is closed and the exception passes.

        Raises
        ------
        InputError
            If an argument or the result has no counterpart on the other side.
        RError
            If R stops with an error (the session stays usable), or its process ends.
        MemoryError
            If R cannot allocate what it needs.
        """
        if seed is not None and not 0 <= seed < 2**31:
            raise InputError(f"seed {seed} does not fit R, whose seeds end at {2**31 - 1}")
        return self._ask((function, dict(arguments), seed), on_wait)

    def close(self) -> None:
        """End R and whatever it started; harmless when repeated."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_open(self) -> bool:
        """Whether R still runs."""
        return not self._connection.closed and self._process.poll() is None

    def _ask(self, message: Any, on_wait: Callable[[], None] = lambda: None) -> Any:
        if self._connection.closed:
            raise RError("this R session is closed")
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._connection.send(message)
            reply = self._receive(on_wait)
        except BaseException:
            self.close()
            raise
        if isinstance(reply, Exception):
            raise reply
        return reply

    def _receive(self, on_wait: Callable[[], None]) -> Any:
        while not self._connection.poll(PAUSE):
            # What R has started can hold the connection open after its end.
            if self._process.poll() is not None and not self._connection.poll():
                self._died()
            on_wait()
        try:
            return self._connection.recv()
        except (EOFError, ConnectionResetError):
            self._died()

    def _died(self) -> NoReturn:
        status = self._process.wait()
        if status >= 0:
            raise RError(f"R ended with status {status} in the middle of a call, as by quit()")
        name = signal.Signals(-status).name
        hint = ", probably by the system for want of memory" if name == "SIGKILL" else ""
        raise RError(f"R was killed by {name} in the middle of a call{hint}")


def prepare_session(scratch: Path | None, *packages: RPackage) -> None:
    """Start R now for the next `open_session` with the same arguments; from `Imputer.prepare`.

    Errors as `RSession`.
    """
    if scratch is not None and not _is_ahead(scratch, packages):
        _discard()
        _ahead.append(RSession(scratch, *packages))


def open_session(scratch: Path | None, *packages: RPackage) -> RSession:
    """Return an R of the caller's own: the one started ahead if it fits, else a new one.

    Errors as `RSession`; and an `InputError` without a scratch folder, where R has to write.
    """
    if scratch is None:
        raise InputError("R needs a scratch folder: Context(scratch=Path(...))")
    if _is_ahead(scratch, packages):
        return _ahead.pop()
    _discard()
    return RSession(scratch, *packages)


_ahead: list[RSession] = []
"""The session started ahead, at most one."""


def _is_ahead(scratch: Path, packages: tuple[RPackage, ...]) -> bool:
    return any(
        session.is_open and (session.scratch, session.packages) == (scratch, packages)
        for session in _ahead
    )


def _discard() -> None:
    while _ahead:
        _ahead.pop().close()
