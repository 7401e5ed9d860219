"""Import and prepare an imputer once, then fork for each of its jobs.

Starting Python and importing a method's libraries takes seconds, forking takes milliseconds. A job
still has a process of its own, and what it changes, or breaks, ends with that process. This file
also runs on Python 3.8, where nothing is forked.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

FORK_SAFE = "jemalloc_bg_thd"
"""The thread of Arrow's memory allocator, which takes care of forks itself."""


def may_fork() -> bool:
    """Whether a fork of this process can work as well as a new one.

    It can if the system lets it be watched, and if there is no other thread, whose locks a fork
    would inherit locked forever, no other process, and no pool that Numba has started.
    """
    if not can_watch():
        return False
    names = [_name(path) for path in Path("/proc/self/task").iterdir()]
    pool = sys.modules.get("numba.np.ufunc.parallel")
    started = getattr(pool, "_is_initialized", False)
    return len(names) - names.count(FORK_SAFE) == 1 and not children() and not started


def can_watch() -> bool:
    """Whether a process can be waited for together with a socket (Linux, Python 3.9 or newer)."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        # Not there, or, as in some containers, forbidden.
        return False
    return True


def _name(thread: Path) -> str:
    try:
        return (thread / "comm").read_text().strip()
    except OSError:
        return ""


def serve(channel: socket.socket, get_ready: Callable[[Path], None]) -> Path:
    """Fork for each job that comes over `channel`.

    Before it forks, the process calls `get_ready` with the request, to make what further jobs may
    need too. What goes wrong there goes wrong again in the fork, which reports it.

    Messages are lines of JSON. A job comes as ``{"request", "folder", "log", "variables"}``;
    ``{"pid"}`` says that it has started, ``{"status", "peak"}`` how its process ended and how many
    bytes it occupied at most, ``{"alone"}`` that this process may not fork: the job needs one of
    its own. What the fork itself says comes over the same channel.

    Returns
    -------
    The request to carry out, in each fork; the process that serves ends here, when `channel` closes
    or when it may not fork.
    """
    orders = channel.makefile("r", encoding="utf-8")
    while line := orders.readline():
        job = json.loads(line)
        _enter(job)
        with contextlib.suppress(BaseException):
            get_ready(Path(job["request"]))
        if not may_fork():
            end_descendants()
            say(channel, {"alone": True})
            break
        gc.freeze()
        alive, held = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.setsid()
            os.dup2(alive, 0)
            for descriptor in (alive, held):
                os.close(descriptor)
            return Path(job["request"])
        os.close(alive)
        # The job's folder is soon gone.
        os.chdir("/")
        say(channel, {"pid": pid})
        status, peak = _outlive(pid, channel)
        os.close(held)
        end_descendants()
        say(channel, {"status": status, "peak": peak})
    os._exit(0)


def children() -> list[int]:
    """Return the processes that this one would have to wait for (Linux only)."""
    found = []
    for listing in Path("/proc/self/task").glob("*/children"):
        # A thread may end while it is looked at.
        with contextlib.suppress(OSError):
            found += list(map(int, listing.read_text().split()))
    return found


def end_children(pids: list[int]) -> None:
    """Kill processes that this one would have to wait for, and do so."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def end_descendants() -> None:
    """Kill whatever a plugin left running, orphan after orphan (Linux only)."""
    while pids := children():
        end_children(pids)


def _enter(job: dict[str, Any]) -> None:
    """Take on a job's variables, log and folder."""
    os.environ.update(job["variables"])
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
    os.chdir(job["folder"])


def _outlive(pid: int, channel: socket.socket) -> tuple[int, int]:
    """Wait for the end of `pid`; return its status and peak. If the runner is gone, end at once."""
    process = os.pidfd_open(pid)
    ready = select.poll()
    ready.register(process, select.POLLIN)
    # What comes over the channel meanwhile is the fork's; only its end is for both.
    ready.register(channel, select.POLLRDHUP)
    gone = channel.fileno() in dict(ready.poll())
    os.close(process)
    if gone:
        end_descendants()
        os._exit(1)
    _, status, used = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), 1024 * used.ru_maxrss


def say(channel: socket.socket, message: dict[str, int]) -> None:
    """Send one message; if the runner is gone, end at once."""
    try:
        channel.sendall(json.dumps(message).encode() + b"\n")
    except OSError:
        end_descendants()
        os._exit(1)
