"""End a child process as soon as its runner exits, for whatever reason."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable


def adopt_orphans() -> None:
    """Make every descendant's orphans our own children, so that none gets away (Linux only)."""
    if sys.platform.startswith("linux"):
        set_child_subreaper = 36
        ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def die_with_parent() -> Callable[[], None]:
    """End this process group as soon as standard input closes, which the runner holds open.

    Returns
    -------
    What stops the watching, which takes a thread.
    """
    if sys.stdin.isatty():
        return lambda: None
    told, tell = os.pipe()

    def watch() -> None:
        while told not in select.select([0, told], [], [])[0]:
            if not os.read(0, 1024):
                os.killpg(0, signal.SIGKILL)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()

    def stop() -> None:
        os.write(tell, b"!")
        thread.join()
        # Python is done with a thread a little before the system is.
        while os.path.exists(f"/proc/self/task/{thread.native_id}"):
            time.sleep(0.0005)
        os.close(told)
        os.close(tell)

    return stop
