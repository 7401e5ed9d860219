"""Jobs as processes of this machine: so many at once, and one at a time on each GPU."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from impbench.environments.environments import Built
from impbench.errors import UnavailableError
from impbench.executors.gpus import Gpus, find_gpus
from impbench.plan.task import Task
from impbench.results.record import Record
from impbench.results.store import Store
from impbench.runner.attempt import Workplace, thread_environment
from impbench.runner.execute import execute
from impbench.runner.sigterm import Terminated, draining
from impbench.scoring.imports import Imports
from impbench.scoring.scorer import Scorer
from impbench.worker.isolation import unreadable
from impbench.worker.orphans import adopting
from impbench.worker.reusable_worker import KeptWorker

if TYPE_CHECKING:
    from impbench.runner.settings import Listener, Settings


def run_locally(
    tasks: Sequence[Task],
    built: Built,
    store: Store,
    settings: Settings,
    tell: Listener,
    imports: Imports,
) -> Generator[Record]:
    """Yield the records of `tasks` as they come; closing the iterator ends what still runs.

    Each of the `settings.jobs` slots has a scoring process of its own, and a worker that serves as
    long as jobs of the same module follow each other.

    Raises
    ------
    UnavailableError
        If a task needs a GPU that is not there.
    Terminated
        After SIGTERM, when what was running has finished or `settings.grace` is over.
    """
    gpus = Gpus(find_gpus() if settings.gpus is None else settings.gpus)
    for lack in filter(None, map(gpus.lack, tasks)):
        raise UnavailableError(lack)
    folder = store.folder
    tasks_folder = folder / ".work" / "tasks"
    place = Workplace(tasks_folder, folder / "logs", folder / "pictures", built, settings.openings)
    hidden = {posed.hidden for task in tasks for posed in task.posed}
    stop = threading.Event()

    def carry_out(task: Task) -> list[Record]:
        slot = free.pop()
        try:
            tell.started(task)
            return execute(task, place, slot.scorer, stop, slot.worker)
        finally:
            free.append(slot)

    with (
        _slots(store, settings, imports, sorted(hidden), len(tasks)) as free,
        ThreadPoolExecutor(settings.jobs) as pool,
        adopting(),
        unreadable(),
        draining() as asked_to_end,
    ):
        pending = list(tasks)
        running: dict[Future[list[Record]], Task] = {}
        deadline = math.inf
        try:
            while pending or running:
                if asked_to_end.is_set():
                    deadline = min(deadline, time.monotonic() + settings.grace)
                    if not running or time.monotonic() >= deadline:
                        raise Terminated
                elif len(running) < settings.jobs and (task := _next(pending, gpus)):
                    running[pool.submit(carry_out, task)] = task
                    continue
                finished, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in finished:
                    gpus.give_back(running.pop(future))
                    yield from future.result()
            if asked_to_end.is_set():
                raise Terminated
        finally:
            stop.set()


def _next(pending: list[Task], gpus: Gpus) -> Task | None:
    """Take out the first task that can start; the others wait for a GPU."""
    for place, task in enumerate(pending):
        placed = gpus.place(task)
        if placed is not None:
            del pending[place]
            return placed
    return None


@dataclass(frozen=True)
class _Slot:
    """The processes that outlive a job: what imputes, as long as the method stays; what scores."""

    scorer: Scorer
    worker: KeptWorker = field(default_factory=KeptWorker)


@contextmanager
def _slots(
    store: Store, settings: Settings, imports: Imports, hidden: Sequence[int], n_tasks: int
) -> Iterator[list[_Slot]]:
    """One slot per job that runs at once, its processes ended however the run ends."""
    env = thread_environment(settings.threads)
    log = store.folder / "logs" / "scoring.log"
    n_slots = min(settings.jobs, n_tasks)
    slots = [_Slot(Scorer(env, log, imports, hidden)) for _ in range(n_slots)]
    free = list(slots)
    try:
        # While the first workers import what they need.
        for slot in slots:
            slot.scorer.start()
        yield free
    finally:
        for slot in slots:
            slot.worker.close()
            slot.scorer.close()
