"""A single-file plugin: an executor that finishes each task before it starts the next."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

from impbench import hookimpl, parameter
from impbench.executors.local import Local
from impbench.results.record import Record
from impbench.runner.executor import Executor, Work
from impbench.runner.settings import Settings


@dataclass(frozen=True)
class OneByOne(Executor):
    """Delegates to this machine's executor, and writes down what it did."""

    name = "one-by-one"
    summary = "One task after the other, in a diary."
    environments_here = True

    diary: str = parameter("diary.txt", "File with a line per task.")
    backwards: bool = parameter(False, "Begin with the last task.")

    def settle(self, settings: Settings) -> Settings:
        return Local().settle(replace(settings, jobs=1))

    def carry_out(self, work: Work) -> Generator[Record]:
        for task in reversed(work.tasks) if self.backwards else work.tasks:
            with Path(self.diary).open("a") as diary:
                diary.write(f"{task.spec} {task.seeds}\n")
            yield from Local().carry_out(replace(work, tasks=[task]))


@hookimpl
def impbench_executors() -> list[type[Executor]]:
    return [OneByOne]
