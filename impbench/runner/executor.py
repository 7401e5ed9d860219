"""Define what an executor must do: it carries out the jobs of a run, here or elsewhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from impbench.errors import InputError
from impbench.parameters import Parametrised

if TYPE_CHECKING:
    from impbench.environments.environments import Built
    from impbench.plan.task import Task
    from impbench.results.record import Record
    from impbench.runner.settings import Listener, Settings
    from impbench.scoring.imports import Imports


@dataclass(frozen=True)
class Work:
    """What an executor is given to carry out."""

    tasks: Sequence[Task]
    """In the order in which they are best started."""
    folder: Path
    """The run's. Logs go to ``logs/KEY.log`` in it, pictures to ``pictures/KEY.npz``; ``.work``
    is emptied before and after the run. Records are written by the runner."""
    settings: Settings
    """As `Executor.settle` returned them, with what no worker may read."""
    imports: Imports
    """What scoring processes import, and what they must not."""
    built: Built
    """The environments that methods ask for; empty unless `Executor.environments_here`."""
    listener: Listener
    """Is told which task starts, and what went otherwise than planned."""


@dataclass(frozen=True)
class Executor(ABC, Parametrised):
    """A way to carry out tasks; subclass it as a frozen dataclass, parameters as fields.

    Executors are trusted as protocols are: they run in the process of the runner, and can see
    truth and labels.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    environments_here: ClassVar[bool] = False
    """Whether the runner builds, on this machine, the environments that methods ask for."""

    def settle(self, settings: Settings) -> Settings:
        """Fill in what the user left open, before anything is loaded or written.

        Returns
        -------
        Settings with ``threads``, and with a ``device`` other than ``auto``. A job's key names its
        device, so it must not depend on who happens to be connected.

        Raises
        ------
        InputError
            If this executor cannot do what is asked.
        """
        device = "cpu" if settings.device == "auto" else settings.device
        return replace(settings, threads=settings.threads or 1, device=device)

    @abstractmethod
    def carry_out(self, work: Work) -> Generator[Record]:
        """Yield a record per job, in any order; `impbench.runner.execute` does one task.

        A job that fails has a record that says why. Closing the generator ends what still runs.

        Raises
        ------
        InputError, UnavailableError
            If the jobs cannot be carried out; what was yielded is stored.
        """

    def job_script(self, threads: int) -> str:
        """Return the script of one batch job, whose tasks keep `threads` threads busy each.

        Raises
        ------
        InputError
            If this executor submits no batch jobs, or one of its parameters does not fit.
        """
        raise InputError(
            f"the executor {self.name} submits no batch jobs, so it has no job script; "
            "`impbench list executors` shows which do"
        )
