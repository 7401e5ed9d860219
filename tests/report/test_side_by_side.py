"""Work in forked processes: the same results, also if a process dies or other threads run."""

from __future__ import annotations

import _thread
import subprocess
import sys
import threading

import pytest

from impbench.report.figures.side_by_side import side_by_side

FORKS = """
import os
import impbench.report.figures.side_by_side as module

module._cores = lambda: 2
lambdas_need_no_pickle = {"factor": 3}

def work(place):
    if place == 2:
        os._exit(1)
    return lambdas_need_no_pickle["factor"] * place, os.getpid() == parent

parent = os.getpid()
results = module.side_by_side(lambda place: work(place), 5)
print(list(results()))
print(os.getpid() == parent)
"""


def test_forked_processes_answer_in_order_and_one_that_dies_costs_its_own_result() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKS], capture_output=True, text=True, check=True
    ).stdout
    assert done.splitlines() == [
        "[(0, False), (3, False), None, (9, False), (12, False)]",
        "True",
    ]


@pytest.mark.parametrize("known", [True, False])
def test_nothing_is_forked_beside_other_threads(known: bool) -> None:
    """Also not beside a thread that `threading` does not know, such as a test runner's."""
    started, stop, stopped = (threading.Lock() for _ in range(3))
    for lock in (started, stop, stopped):
        lock.acquire()

    def wait() -> None:
        started.release()
        with stop:
            stopped.release()

    if known:
        threading.Thread(target=wait).start()
    else:
        _thread.start_new_thread(wait, ())
    started.acquire()
    try:
        called: list[int] = []
        results = side_by_side(called.append, 3)
        assert called == []
        assert list(results()) == [None, None, None]
        assert called == [0, 1, 2]
    finally:
        stop.release()
        stopped.acquire()
