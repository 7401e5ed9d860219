"""Run jobs on the workers of a Dask scheduler, with the same keys, limits and records as here."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import queue
import socket
import time
import zlib
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import CancelledError, wait
from typing import Any

from distributed import Client, Future
from distributed.scheduler import KilledWorker

from impbench.errors import InputError, UnavailableError
from impbench.executors.dask.bundle import pack
from impbench.executors.dask.cluster import Cluster
from impbench.executors.dask.code import code_of, difference, probe
from impbench.executors.dask.worker_plugin import (
    GPU,
    Delivery,
    RunPlugin,
    SentTask,
    carry_out,
    modules_of,
    shipped,
)
from impbench.plan.keys import plugin_file
from impbench.plan.task import Task
from impbench.results.record import Record
from impbench.runner.executor import Work
from impbench.version import __version__
from impbench.write_atomically import write_atomically

_LOOK_SECONDS = 2.0
_NAMED = 5
"""How many workers an error names."""


def run_on_cluster(cluster: Cluster, work: Work) -> Generator[Record]:
    """Yield a record per job as they come; closing the iterator cancels what still runs.

    Raises
    ------
    InputError
        If a parameter is no good, or a worker has other code than ours; names the worker.
    UnavailableError
        If scheduler or workers cannot be reached, are lost, or have no GPU.
    """
    with cluster.connect(work.settings.threads or 1) as client:
        run = _Run(client, cluster, work)
        run.wait_for_workers()
        run.check_code()
        try:
            run.ship()
            yield from run.records()
        finally:
            run.end()


class _Run:
    """One run at one scheduler."""

    def __init__(self, client: Client, cluster: Cluster, work: Work) -> None:
        self.client = client
        self.cluster = cluster
        self.work = work
        self.address = str(client.scheduler.address)
        # The same when the run is resumed: what a killed runner left there is replaced.
        where = f"{socket.gethostname()}:{work.folder}"
        self.plugin_name = f"impbench-{hashlib.sha256(where.encode()).hexdigest()[:16]}"
        self.waiting: dict[str, tuple[Future, Task]] = {}
        self.done: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self.lacking_since: float | None = None

    def wait_for_workers(self) -> None:
        """Return once there is a worker; a scheduler of somebody's must have one soon."""
        if not self.client.nthreads():
            whose = self.cluster.whose(self.address)
            self.work.listener.noticed(f"waiting for the first worker of {whose}")
        with self._reached(), contextlib.suppress(TimeoutError):
            self.client.wait_for_workers(1, timeout=self.cluster.patience)
        if lack := self._lack(self.work.tasks):
            raise UnavailableError(lack)

    def check_code(self) -> None:
        """Refuse workers that would run other code; later ones are asked with every order."""
        tasks, imports = self.work.tasks, self.work.imports
        modules = list(dict.fromkeys(name for task in tasks for name in modules_of(task, imports)))
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

    def ship(self) -> None:
        """Send every worker, and every later one, what the tasks need."""
        tasks, imports = self.work.tasks, self.work.imports
        imputing = [plugin_file(type(task.imputer)) for task in tasks if task.imputer is not None]
        scoring = [origin.file for origin in imports.origins]
        files = dict.fromkeys(file for file in (*imputing, *scoring) if file is not None)
        plugin = RunPlugin(pack(tasks, files), shipped(imports))
        try:
            self.client.register_plugin(plugin, self.plugin_name)
        except OSError as error:
            raise UnavailableError(f"a worker cannot store the data: {error}") from error

    def records(self) -> Iterator[Record]:
        """Yield what comes back, whatever the order."""
        for task in self.work.tasks:
            self._submit(task)
        while self.waiting:
            try:
                future = self.done.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                self._look()
                continue
            delivery = self._fetched(future)
            _, task = self.waiting.pop(future.key)
            yield from self._received(task, delivery)

    def end(self) -> None:
        """Cancel what is left, and have the workers delete what was shipped."""
        if self.client.status != "running":
            return
        with contextlib.suppress(OSError, ValueError, CancelledError):
            self.client.cancel([future for future, _ in self.waiting.values()], force=True)
            self.client.unregister_worker_plugin(self.plugin_name)

    def _submit(self, task: Task) -> None:
        future = self.client.submit(
            carry_out,
            self.plugin_name,
            SentTask.of(task, self.work.imports),
            pure=False,
            resources={} if task.device == "cpu" else {GPU: 1},
        )
        self.waiting[future.key] = (future, task)
        future.add_done_callback(self.done.put)

    def _fetched(self, future: Future) -> Delivery | KilledWorker:
        """Fetch what came back, and look after the workers until it is here.

        A worker that ends before its result is fetched takes it along. Dask then waits for another
        one, and of batch jobs there is none unless it is submitted.
        """
        fetching = asyncio.run_coroutine_threadsafe(
            self.client.gather(future, asynchronous=True), self.client.loop.asyncio_loop
        )
        try:
            while not wait([fetching], _LOOK_SECONDS).done:
                self._look()
        finally:
            fetching.cancel()
        with self._reached():
            try:
                delivery: Delivery = fetching.result()
            except KilledWorker as error:
                return error
        return delivery

    def _received(self, task: Task, delivery: Delivery | KilledWorker) -> Iterator[Record]:
        if isinstance(delivery, KilledWorker):
            yield from _worker_died(task, delivery)
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
            write_atomically(self.work.folder / name, zlib.decompress(delivery.files[name]))
        if delivery.scoring_log:
            with (self.work.folder / "logs" / "scoring.log").open("ab") as log:
                log.write(f"worker {delivery.worker}:\n".encode() + delivery.scoring_log)

    def _look(self) -> None:
        """Start workers again that ended; say when nothing can go on, and end it in the end."""
        self.cluster.replace_workers(self.client)
        lack = self._lack(task for _, task in self.waiting.values())
        if not lack:
            self.lacking_since = None
            return
        if self.lacking_since is None:
            self.lacking_since = time.monotonic()
            self.work.listener.noticed(f"waiting: {lack}")
        patience = self.cluster.patience
        if patience is not None and time.monotonic() - self.lacking_since > patience:
            raise UnavailableError(f"{lack}; run the same command to go on")

    def _lack(self, tasks: Iterable[Task]) -> str:
        """Say what the workers cannot do of `tasks`; empty where all can be done."""
        with self._reached():
            workers: dict[str, Any] = self.client.run_on_scheduler(_announced())
        start = self.cluster.advice(self.address)
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
