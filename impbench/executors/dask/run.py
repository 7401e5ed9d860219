"""Jobs on the workers of a Dask scheduler: the same tasks, keys, limits and records as locally."""

from __future__ import annotations

import contextlib
import hashlib
import queue
import socket
import time
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

from distributed import Client, Future
from distributed.scheduler import KilledWorker

from impbench.errors import InputError, UnavailableError
from impbench.executors.dask.bundle import pack
from impbench.executors.dask.cluster import Cluster
from impbench.executors.dask.code import code_of, difference, probe
from impbench.executors.dask.worker_plugin import (
    GPU,
    Delivery,
    Depot,
    Order,
    carry_out,
    modules_of,
    shipped,
)
from impbench.plan.keys import plugin_file
from impbench.plan.task import Task
from impbench.results.record import Record
from impbench.results.store import Store
from impbench.scoring.imports import Imports
from impbench.version import __version__
from impbench.write_atomically import write_atomically

if TYPE_CHECKING:
    from impbench.runner.settings import Listener, Settings

PATIENCE = 60.0
"""Seconds that a run goes on without a worker that could do what is left."""

_LOOK_SECONDS = 2.0
_NAMED = 5
"""How many workers an error names."""


def run_on_cluster(
    cluster: Cluster,
    tasks: Sequence[Task],
    store: Store,
    settings: Settings,
    tell: Listener,
    imports: Imports,
) -> Generator[Record]:
    """Yield the records of `tasks` as they come; closing the iterator cancels what still runs.

    Raises
    ------
    InputError
        If an option is no good, or a worker has other code than ours; names the worker.
    UnavailableError
        If scheduler or workers cannot be reached, are lost, or have no GPU.
    """
    script = "" if cluster.executor == "dask" else cluster.job_script(settings.threads)
    if script and f"{GPU}=" not in script and any(task.device != "cpu" for task in tasks):
        raise InputError(
            "the batch jobs announce no GPU: ask the batch system for one, and add "
            f"--cluster-option \"worker_extra_args=['--resources', '{GPU}=1']\""
        )
    with cluster.connect(settings.threads) as client:
        run = _Run(client, cluster, store, tell, imports)
        run.wait_for_workers(tasks)
        run.check_code(tasks)
        try:
            run.ship(tasks)
            yield from run.records(tasks)
        finally:
            run.end()


class _Run:
    """One run at one scheduler."""

    def __init__(
        self, client: Client, cluster: Cluster, store: Store, tell: Listener, imports: Imports
    ) -> None:
        self.client = client
        self.cluster = cluster
        self.store = store
        self.tell = tell
        self.imports = imports
        self.address = str(client.scheduler.address)
        # The same when the run is resumed: what a killed runner left there is replaced.
        where = f"{socket.gethostname()}:{store.folder}"
        self.depot = f"impbench-{hashlib.sha256(where.encode()).hexdigest()[:16]}"
        self.waiting: dict[str, tuple[Future, Task]] = {}
        self.done: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self.lacking_since: float | None = None

    def wait_for_workers(self, tasks: Sequence[Task]) -> None:
        """Return once there is a worker; a scheduler of somebody's must have one soon."""
        dask = self.cluster.executor == "dask"
        if not self.client.nthreads():
            whom = self.address if dask else f"{self.cluster.workers} batch jobs"
            self.tell.noticed(f"waiting for the first worker of {whom}")
        with self._reached(), contextlib.suppress(TimeoutError):
            self.client.wait_for_workers(1, timeout=PATIENCE if dask else None)
        if lack := self._lack(tasks):
            raise UnavailableError(lack)

    def check_code(self, tasks: Sequence[Task]) -> None:
        """Refuse workers that would run other code; later ones are asked with every order."""
        modules = list(
            dict.fromkeys(name for task in tasks for name in modules_of(task, self.imports))
        )
        here = code_of(modules)
        with self._reached():
            told = self.client.run(probe(modules), on_error="return")
        wrong = {
            worker: f"cannot be asked ({there})"
            if isinstance(there, BaseException)
            else difference(here, there)
            for worker, there in told.items()
        }
        lines = [f"worker {worker}: {what}" for worker, what in wrong.items() if what]
        if lines:
            raise InputError(
                "\n  ".join(["these workers have other code than the run:", *lines[:_NAMED]])
                + "\ninstall the same impbench and plugins there, and restart the workers"
            )

    def ship(self, tasks: Sequence[Task]) -> None:
        """Send every worker, and every later one, what the tasks need."""
        imputing = [plugin_file(type(task.imputer)) for task in tasks if task.imputer is not None]
        scoring = [origin.file for origin in self.imports.origins]
        files = dict.fromkeys(file for file in (*imputing, *scoring) if file is not None)
        depot = Depot(pack(tasks, files), shipped(self.imports))
        try:
            self.client.register_plugin(depot, self.depot)
        except OSError as error:
            raise UnavailableError(f"a worker cannot store the data: {error}") from error

    def records(self, tasks: Iterable[Task]) -> Iterator[Record]:
        """Yield what comes back, whatever the order."""
        for task in tasks:
            self._submit(task)
        while self.waiting:
            try:
                future = self.done.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                self._look()
                continue
            _, task = self.waiting.pop(future.key)
            yield from self._received(task, future)

    def end(self) -> None:
        """Cancel what is left, and have the workers delete what was shipped."""
        if self.client.status != "running":
            return
        with contextlib.suppress(OSError, ValueError, CancelledError):
            self.client.cancel([future for future, _ in self.waiting.values()], force=True)
            self.client.unregister_worker_plugin(self.depot)

    def _submit(self, task: Task) -> None:
        future = self.client.submit(
            carry_out,
            self.depot,
            Order.of(task, self.imports),
            pure=False,
            resources={} if task.device == "cpu" else {GPU: 1},
        )
        self.waiting[future.key] = (future, task)
        future.add_done_callback(self.done.put)

    def _received(self, task: Task, future: Future) -> Iterator[Record]:
        try:
            with self._reached():
                delivery: Delivery = future.result()
        except KilledWorker as error:
            yield from _worker_died(task, error)
            return
        if delivery.refusal:
            raise InputError(f"worker {delivery.worker} cannot do its part: {delivery.refusal}")
        records = [
            Record.from_json(text, f"a record from worker {delivery.worker}")
            for text in delivery.records
        ]
        if sorted(record.key for record in records) != sorted(task.keys):
            raise InputError(
                f"worker {delivery.worker} did other jobs than it was asked for; install the same "
                "impbench and plugins there, and restart it"
            )
        if any(record.status == "cancelled" for record in records):
            # Not by us: Dask took the job from that worker, and gave it back meanwhile.
            self._submit(task)
            return
        self._store_files(task, delivery)
        yield from records

    def _store_files(self, task: Task, delivery: Delivery) -> None:
        """Write logs and pictures where the same job would have written them here."""
        names = [(f"logs/{key}.log", f"pictures/{key}.npz") for key in task.keys]
        for name in (name for pair in names for name in pair if name in delivery.files):
            write_atomically(self.store.folder / name, zlib.decompress(delivery.files[name]))
        if delivery.scoring_log:
            with (self.store.folder / "logs" / "scoring.log").open("ab") as log:
                log.write(f"worker {delivery.worker}:\n".encode() + delivery.scoring_log)

    def _look(self) -> None:
        """Submit batch jobs again that ended; say when nothing can go on, and end it in the end."""
        if self.cluster.executor != "dask":
            self.cluster.submit(self.client.cluster)
        lack = self._lack(task for _, task in self.waiting.values())
        if not lack:
            self.lacking_since = None
            return
        if self.lacking_since is None:
            self.lacking_since = time.monotonic()
            self.tell.noticed(f"waiting: {lack}")
        if time.monotonic() - self.lacking_since > PATIENCE and self.cluster.executor == "dask":
            raise UnavailableError(f"{lack}; run the same command to go on")

    def _lack(self, tasks: Iterable[Task]) -> str:
        """Say what the workers cannot do of `tasks`; empty where all can be done."""
        with self._reached():
            workers: dict[str, Any] = self.client.run_on_scheduler(_announced())
        start = (
            "" if self.cluster.executor != "dask" else f"; start one: dask worker {self.address}"
        )
        if not workers:
            return f"no worker is connected to {self.address}{start}"
        if any(task.device != "cpu" for task in tasks) and not any(
            resources.get(GPU) for resources in workers.values()
        ):
            return f"no worker of {self.address} announces a GPU{start} --resources {GPU}=1"
        return ""

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        """Say what it means when the scheduler does not answer."""
        try:
            yield
        except (CancelledError, OSError) as error:
            raise UnavailableError(
                f"the connection to the Dask scheduler {self.address} was lost; what was finished "
                "is stored: start scheduler and workers again, and run the same command to go on"
            ) from error


def _announced() -> Any:
    # Defined in here, a function travels whole: the scheduler may lack impbench.
    def announced(dask_scheduler: Any) -> dict[str, dict[str, float]]:
        return {address: dict(w.resources) for address, w in dask_scheduler.workers.items()}

    return announced


def _worker_died(task: Task, error: KilledWorker) -> Iterator[Record]:
    """A job that takes its workers with it has failed."""
    reason = (
        f"every worker that took it died ({error.allowed_failures + 1} in all, the last one "
        f"{error.last_worker.address}): out of memory, or past the batch job's time?"
    )
    for posed in task.posed:
        for seed in task.seeds:
            yield Record(
                key=task.key(posed, seed),
                job=task.job(posed, seed),
                status="failed",
                reason=reason,
                metrics=posed.metrics,
                versions={"impbench": __version__},
            )
