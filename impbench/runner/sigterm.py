"""On SIGTERM, which schedulers send before they kill: let jobs in flight finish, then end.

A handler that raised wherever the program happens to be could do so while a record is written. So
where jobs run (`draining`), the signal only sets a mark that the executor looks at; elsewhere,
while data are prepared or a report is drawn, `Terminated` is raised at once: nothing is lost there.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

GRACE = 10.0
"""Seconds that jobs in flight may go on after SIGTERM; schedulers mostly grant 30."""

_asked = threading.Event()
_somebody_looks = threading.Event()


class Terminated(KeyboardInterrupt):
    """The run was asked to end by SIGTERM; what is finished is stored."""


@contextmanager
def graceful_sigterm() -> Iterator[None]:
    """Handle SIGTERM as above; only the main thread may, elsewhere nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _asked.clear()
    before = signal.signal(signal.SIGTERM, _on_sigterm)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def draining() -> Iterator[threading.Event]:
    """Promise to look at the event, which SIGTERM sets, at least every second."""
    _somebody_looks.set()
    try:
        yield _asked
    finally:
        _somebody_looks.clear()


def _on_sigterm(signal_number: int, frame: FrameType | None) -> None:
    if _asked.is_set() or not _somebody_looks.is_set():
        raise Terminated
    _asked.set()
