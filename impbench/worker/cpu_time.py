"""Read another process's CPU time from the kernel."""

from __future__ import annotations

import contextlib
import sys
import time

import psutil


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
