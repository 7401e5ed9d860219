"""Call a function in forked processes, once for each number, where forking is safe."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

T = TypeVar("T")

MOST = 4
"""Processes at once; each holds what the forked process held."""


def side_by_side(work: Callable[[int], T], n: int) -> Callable[[], Iterator[T | None]]:
    """Begin ``work(0)`` to ``work(n - 1)`` in forked processes; their results are sent back.

    Where a fork is not safe (no such call, or other threads, whose locks it would inherit locked),
    or one core is all there is, they are called in this process when the results are asked for.

    Returns
    -------
    A function that yields the results in order: None for each call whose process died.
    """
    n_processes = min(MOST, n, _cores())
    if n_processes < 2 or not _may_fork():
        return lambda: map(work, range(n))
    pool = _forked(work, n_processes)
    futures = [pool.submit(_call, place) for place in range(n)]

    def results() -> Iterator[T | None]:
        with pool:
            for place, future in enumerate(futures):
                try:
                    yield future.result()
                except BrokenProcessPool:
                    yield _alone(work, place)

    return results


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _may_fork() -> bool:
    methods = multiprocessing.get_all_start_methods()
    # Apple's libraries do not survive a fork, though the call is there. `threading` does not know
    # of every thread that Python runs.
    alone = len(sys._current_frames()) == 1
    return "fork" in methods and os.uname().sysname == "Linux" and alone


def _forked(work: Callable[[int], Any], n_processes: int) -> ProcessPoolExecutor:
    """Processes in which `_call` calls `work`, which need not be pickled."""
    forking = multiprocessing.get_context("fork")
    return ProcessPoolExecutor(n_processes, forking, _take_up, (work,))


def _alone(work: Callable[[int], T], place: int) -> T | None:
    """Call once more, as a dead process takes along what the others were about to do."""
    with _forked(work, 1) as pool:
        try:
            found: T = pool.submit(_call, place).result()
            return found
        except BrokenProcessPool:
            return None


_work: Callable[[int], Any] | None = None
"""In a forked process: what it calls."""


def _take_up(work: Callable[[int], Any]) -> None:
    global _work
    _work = work


def _call(place: int) -> Any:
    assert _work is not None
    return _work(place)
