"""Choose the task that a free slot takes next: of a method that its worker is ready for, if it can.

What a method needs is imported, and compiled, before its first job, which takes seconds. So a slot
stays with its method, and slots begin different ones: none gets ready for, or waits for, what
another one gets ready for while something else is left to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from impbench.executors.machine.gpus import Gpus
from impbench.plan.task import Task
from impbench.worker.reusable_worker import ReusableWorker

CONTROLS = ""
"""Stands for the methods that are all quick: controls, of whatever module."""


@dataclass
class Slot:
    """Where one job runs at a time."""

    worker: ReusableWorker = field(default_factory=ReusableWorker)
    method: str | None = None
    """Module of its last task, or `CONTROLS`."""


class Pending:
    """Tasks that have not started, in the order in which they are best started."""

    def __init__(self, tasks: Iterable[Task], gpus: Gpus) -> None:
        self._gpus = gpus
        self._tasks: dict[str, list[Task]] = {}
        for task in tasks:
            self._tasks.setdefault(_method(task), []).append(task)

    def __bool__(self) -> bool:
        """Whether any is left."""
        return bool(self._tasks)

    def take(self, slot: Slot, slots: Sequence[Slot]) -> Task | None:
        """Take out the task that `slot` does next; None where all that are left wait for a GPU.

        First come those of its own method, then those of a method that none of the other `slots` is
        at, then all others.
        """
        others = {other.method for other in slots if other is not slot}
        methods = sorted(self._tasks, key=lambda name: (name != slot.method, name in others))
        for method in methods:
            tasks = self._tasks[method]
            for place, task in enumerate(tasks):
                if (placed := self._gpus.place(task)) is not None:
                    del tasks[place]
                    if not tasks:
                        del self._tasks[method]
                    slot.method = method
                    return placed
        return None


def _method(task: Task) -> str:
    if task.imputer is None or task.imputer.is_control:
        return CONTROLS
    return type(task.imputer).__module__
