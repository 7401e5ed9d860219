"""Run jobs as processes of this machine: so many at once, and one at a time on each GPU."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from impbench.errors import UnavailableError
from impbench.executors.machine.gpus import Gpus
from impbench.executors.machine.turns import Pending, Slot
from impbench.plan.task import Task
from impbench.results.record import Record
from impbench.runner.attempt import Workplace, thread_environment
from impbench.runner.execute import execute
from impbench.runner.executor import Work
from impbench.runner.sigterm import Terminated, draining
from impbench.scoring.scorer import Scorer
from impbench.scoring.scorers import Scorers
from impbench.worker.isolation import unreadable
from impbench.worker.orphans import adopting


def run_processes(work: Work) -> Generator[Record]:
    """Yield the records of `work` as they come; closing the iterator ends what still runs.

    Each of the slots, one per job at once, has a worker that serves as long as jobs of the same
    module follow each other. Scoring processes are for all of them.

    Raises
    ------
    UnavailableError
        If a task needs a GPU that is not there.
    Terminated
        After SIGTERM, when what was running has finished or ``settings.grace`` is over.
    """
    folder, settings = work.folder, work.settings
    logs, pictures = folder / "logs", folder / "pictures"
    jobs, gpus = settings.jobs or 1, Gpus(settings.gpus or ())
    for lack in filter(None, map(gpus.lack, work.tasks)):
        raise UnavailableError(lack)
    tasks_folder = folder / ".work" / "tasks"
    place = Workplace(tasks_folder, logs, pictures, work.built, settings.openings)
    stop = threading.Event()

    def carry_out(task: Task, slot: Slot) -> list[Record]:
        work.listener.started(task)
        return execute(task, place, scorers.score, stop, slot.worker)

    with (
        _scorers(work) as scorers,
        _slots(min(jobs, len(work.tasks))) as slots,
        ThreadPoolExecutor(jobs) as pool,
        adopting(),
        unreadable(),
        draining() as asked_to_end,
    ):
        pending, free = Pending(work.tasks, gpus), list(slots)
        running: dict[Future[list[Record]], tuple[Task, Slot]] = {}
        deadline = math.inf
        try:
            while pending or running:
                if asked_to_end.is_set():
                    deadline = min(deadline, time.monotonic() + settings.grace)
                    if not running or time.monotonic() >= deadline:
                        raise Terminated
                elif free and (task := pending.take(free[0], slots)):
                    slot = free.pop(0)
                    running[pool.submit(carry_out, task, slot)] = task, slot
                    continue
                finished, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in finished:
                    task, slot = running.pop(future)
                    gpus.give_back(task)
                    free.append(slot)
                    yield from future.result()
            if asked_to_end.is_set():
                raise Terminated
        finally:
            stop.set()


@contextmanager
def _scorers(work: Work) -> Iterator[Scorers]:
    """Lend the scoring processes, which are ended however the run ends."""
    env = thread_environment(work.settings.threads or 1)
    log = work.folder / "logs" / "scoring.log"
    hidden = sorted({posed.hidden for task in work.tasks for posed in task.posed})
    scorers = Scorers(lambda: Scorer(env, log, work.imports, hidden))
    try:
        # While the first workers import what they need.
        scorers.start()
        yield scorers
    finally:
        scorers.close()


@contextmanager
def _slots(number: int) -> Iterator[list[Slot]]:
    """Lend the slots, each with a process that imputes, which is kept as long as its method."""
    slots = [Slot() for _ in range(number)]
    try:
        yield slots
    finally:
        for slot in slots:
            slot.worker.close()
