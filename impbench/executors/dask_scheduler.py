"""Jobs on a Dask scheduler that is there already."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from impbench.errors import InputError
from impbench.executors.dask.cluster import Cluster, connected
from impbench.parameters import parameter

if TYPE_CHECKING:
    from distributed import Client

    from impbench.results.record import Record
    from impbench.runner.executor import Work
    from impbench.runner.settings import Settings


@dataclass(frozen=True)
class DaskScheduler(Cluster):
    """Workers that somebody starts with ``dask worker``."""

    name = "dask"
    summary = "Workers of a Dask scheduler that is there."

    scheduler: str | None = parameter(None, "Its address, such as tcp://10.0.0.1:8786.")

    patience: ClassVar[float | None] = 60.0

    def settle(self, settings: Settings) -> Settings:
        """Refuse what a cluster cannot, and to run without an address."""
        if self.scheduler is None:
            raise InputError(
                "the executor dask needs the address of a scheduler: "
                "--scheduler tcp://HOST:8786 (`dask scheduler` starts one and prints it)"
            )
        return super().settle(settings)

    def carry_out(self, work: Work) -> Generator[Record]:
        """Yield a record per job; errors as those of `run_on_cluster`."""
        from impbench.executors.dask.run import run_on_cluster

        return run_on_cluster(self, work)

    def connect(self, threads: int) -> AbstractContextManager[Client]:
        """Connect to the scheduler."""
        client: AbstractContextManager[Client] = connected(str(self.scheduler), self.security())
        return client

    def advice(self, address: str) -> str:
        """Say how to start a worker."""
        return f"; start one: dask worker {address}"
