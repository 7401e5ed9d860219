"""Carry out tasks inside a Dask worker, with what was sent to it once.

A plugin of Dask's reaches every worker once, later ones and restarted ones too, and stays out of
Dask's store of results, which may be written to disk: what is hidden must have no name there.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from distributed import Worker, get_worker
from distributed.diagnostics.plugin import WorkerPlugin

from impbench.description import ToldImputer, tell_imputer
from impbench.environments.environments import Built, Environment, build_all
from impbench.environments.interpreters import BuildError
from impbench.environments.lockfile import lock_lines
from impbench.executors.dask.bundle import Bundle, Unpacked, shipped_name, unpack
from impbench.executors.dask.code import code_of, difference
from impbench.executors.machine.gpus import Gpus, find_gpus
from impbench.imputer import Imputer
from impbench.origin import Origin
from impbench.plan.keys import plugin_file
from impbench.plan.task import Task
from impbench.plugin_file import module_name
from impbench.runner.attempt import Workplace, thread_environment
from impbench.runner.execute import execute
from impbench.runner.walls import Openings
from impbench.scoring.imports import Imports
from impbench.scoring.scorer import Scorer
from impbench.stand_in import stand_in
from impbench.worker.isolation import unreadable
from impbench.worker.orphans import adopting

_Asked = tuple[tuple[str, ...], str, tuple[str, ...]]
# Packages, Python and lockfile: what an environment is built for.

GPU = "GPU"
"""Name of the resource that a worker with GPUs announces."""

_TOO_FEW_GPUS = "it announces more GPUs than it has"
_WATCH_SECONDS = 0.5
_SHARE = 0.9
"""Of a worker's memory that its jobs may use together."""


@dataclass(frozen=True)
class Reference:
    """An imputer by name: its class may not exist where it travels to."""

    told: ToldImputer
    """What is to be known of its class."""
    params: dict[str, Any]
    file: str | None
    """Name in `Bundle.files`, or None for an installed one."""
    lock: tuple[str, ...] | None
    """Lines of the lockfile beside such a file; None for an installed one, whose lockfile is
    installed with it."""

    @classmethod
    def of(cls, imputer: Imputer) -> Reference:
        """Refer to `imputer`."""
        file = plugin_file(type(imputer))
        name = None if file is None else shipped_name(file)
        told = _told(type(imputer))  # type: ignore[arg-type]
        lock = None if file is None else lock_lines(type(imputer))
        return cls(told, imputer.parameters(), name, lock)


_told = lru_cache(tell_imputer)


@dataclass(frozen=True)
class SentTask:
    """A task as it travels."""

    task: Task
    """Without its imputer; paths and descriptors are the sender's."""
    imputer: Reference | None
    """None where a control that sees the truth answers; `task` names it."""
    code: dict[str, str]
    """What `code_of` must say where it is carried out."""

    @classmethod
    def of(cls, task: Task, imports: Imports) -> SentTask:
        """Make `task` ready to travel, to be scored with `imports`."""
        reference = None if task.imputer is None else Reference.of(task.imputer)
        return cls(replace(task, imputer=None), reference, code_of(modules_of(task, imports)))


@dataclass(frozen=True)
class Delivery:
    """What comes back."""

    worker: str
    """Address of the worker."""
    records: tuple[str, ...] = ()
    """As JSON."""
    files: dict[str, bytes] = field(default_factory=dict)
    """Logs and pictures, compressed, by path in the run's folder."""
    scoring_log: bytes = b""
    """What the scoring process printed meanwhile."""
    refusal: str = ""
    """Why the worker could not take the order; empty if it did."""


def modules_of(task: Task, imports: Imports) -> list[str]:
    """Name the installed modules that impute and score; files are shipped instead."""
    scoring = [origin.module for origin in imports.origins if origin.file is None]
    if task.imputer is None or plugin_file(type(task.imputer)) is not None:
        return scoring
    return [type(task.imputer).__module__, *scoring]


def moved(imports: Imports, place: Callable[[Path], Path]) -> Imports:
    """Return `imports` with `place` of each file instead of where it lies here."""
    origins = (
        origin if origin.file is None else Origin(file=place(origin.file))
        for origin in imports.origins
    )
    return replace(imports, origins=tuple(origins))


def shipped(imports: Imports) -> Imports:
    """Name the files as `Bundle.files` does."""
    return moved(imports, lambda file: Path(shipped_name(file)))


def carry_out(plugin_name: str, order: SentTask) -> Delivery:
    """Carry out `order` on the worker that Dask chose."""
    worker = get_worker()
    known = worker.plugins.get(plugin_name)
    if not isinstance(known, RunPlugin):
        return Delivery(worker.address, refusal="what was shipped did not arrive")
    key = worker.get_current_task()
    try:
        return known.carry_out(order, key)
    except Exception as error:
        return Delivery(worker.address, refusal=f"{type(error).__name__}: {error}")


class RunPlugin(WorkerPlugin):  # type: ignore[misc]
    """One run's bundle on one worker, with the scoring processes that may read what is hidden.

    Parameters
    ----------
    imports
        What scoring processes import; files by their names in `Bundle.files`.
    """

    def __init__(self, bundle: Bundle, imports: Imports) -> None:
        self.bundle: Bundle | None = bundle
        self.imports = imports

    async def setup(self, worker: Worker) -> None:
        """Unpack; called once on each worker."""
        bundle, self.bundle = self.bundle, None
        assert bundle is not None
        self.worker = worker
        self.lock = threading.Lock()
        self.building = threading.Lock()
        self.built: dict[_Asked, Environment | BuildError | None] = {}
        self.running: dict[str, threading.Event] = {}
        self.free: list[tuple[Scorer, Path]] = []
        self.scorers: list[Scorer] = []
        self.gpus = Gpus(find_gpus())
        self.guards = contextlib.ExitStack()
        self.guards.enter_context(adopting())
        self.guards.enter_context(unreadable())
        self.folder = Path(tempfile.mkdtemp(prefix="impbench-", dir=worker.local_directory))
        try:
            self.here: Unpacked = await asyncio.to_thread(unpack, bundle, self.folder)
        except OSError:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        self.watcher = asyncio.create_task(self._watch())

    async def teardown(self, worker: Worker) -> None:
        """End what runs and leave nothing; called when the run or the worker ends."""
        self.watcher.cancel()
        while self.running:
            for stop in list(self.running.values()):
                stop.set()
            await asyncio.sleep(0.05)
        for scorer in self.scorers:
            scorer.close()
        self.here.close()
        self.guards.close()
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    def carry_out(self, order: SentTask, key: str) -> Delivery:
        """Carry out `order` in this thread; `key` is Dask's name for it."""
        address = self.worker.address
        if refusal := difference(order.code, code_of([m for m in order.code if m != "impbench"])):
            return Delivery(address, refusal=refusal)
        task = self._arrived(order)
        placed = self.gpus.place(task)
        if lack := self.gpus.lack(task) or ("" if placed else _TOO_FEW_GPUS):
            return Delivery(address, refusal=lack)
        assert placed is not None
        try:
            with self._stoppable(key) as stop, self._scorer(placed) as (scorer, log):
                delivery = self._execute(placed, scorer, stop)
                return replace(delivery, scoring_log=_emptied(log))
        finally:
            self.gpus.give_back(placed)

    def _execute(self, task: Task, scorer: Scorer, stop: threading.Event) -> Delivery:
        results = Path(tempfile.mkdtemp(prefix="results-", dir=self.folder))
        try:
            for name in ("logs", "pictures"):
                (results / name).mkdir()
            place = Workplace(
                self.folder / "tasks",
                results / "logs",
                results / "pictures",
                self._built(task),
                Openings((self.folder,)),
            )
            records = execute(task, place, scorer.score, stop)
            files = {
                path.relative_to(results).as_posix(): zlib.compress(path.read_bytes(), 1)
                for path in sorted(results.rglob("*"))
                if path.is_file()
            }
        finally:
            shutil.rmtree(results, ignore_errors=True)
        return Delivery(self.worker.address, tuple(r.to_json() for r in records), files)

    def _built(self, task: Task) -> Built:
        """Build the environment a task asks for: once in this run, even where that fails."""
        if task.imputer is None:
            return {}
        kind = type(task.imputer)
        # A single-file plugin is a new class for every task; what it asks for is the same.
        wish = (kind.requires, kind.requires_python, lock_lines(kind))
        with self.building:
            if wish not in self.built:
                self.built[wish] = build_all([kind], lambda wanted: None).get(kind)
            found = self.built[wish]
        return {} if found is None else {kind: found}

    def _arrived(self, order: SentTask) -> Task:
        """Return the task as it stands on this machine."""
        task, memory = order.task, order.task.memory
        if memory is None and (limit := self.worker.memory_manager.memory_limit):
            memory = int(_SHARE * limit / self.worker.state.nthreads)
        return replace(
            task,
            imputer=None if order.imputer is None else self._imputer(order.imputer),
            posed=tuple(map(self.here.posed, task.posed)),
            memory=memory,
        )

    def _imputer(self, reference: Reference) -> Imputer:
        """Return what stands in for it: only the process that imputes imports the real one."""
        file, told = None, reference.told
        if reference.file is not None:
            file = self.here.file(reference.file)
            told = {**told, "module": module_name(file)}
        imputer: Imputer = stand_in(told, file, lock=reference.lock)(**reference.params)
        return imputer

    @contextmanager
    def _scorer(self, task: Task) -> Iterator[tuple[Scorer, Path]]:
        """Lend a scoring process: there are as many as jobs ran at once."""
        with self.lock:
            if not self.free:
                log = self.folder / f"scoring-{len(self.scorers)}.log"
                environment = thread_environment(task.threads)
                descriptors = sorted(self.here.descriptors.values())
                imports = moved(self.imports, lambda file: self.here.file(str(file)))
                self.scorers.append(Scorer(environment, log, imports, descriptors))
                self.free.append((self.scorers[-1], log))
            lent = self.free.pop()
        try:
            yield lent
        finally:
            self.free.append(lent)

    @contextmanager
    def _stoppable(self, key: str) -> Iterator[threading.Event]:
        stop = threading.Event()
        self.running[key] = stop
        try:
            yield stop
        finally:
            del self.running[key]

    async def _watch(self) -> None:
        """Stop jobs that nobody waits for any more: cancelled, or their runner is gone."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            for key, stop in list(self.running.items()):
                known = self.worker.state.tasks.get(key)
                if known is None or known.state not in ("executing", "long-running"):
                    stop.set()


def _emptied(log: Path) -> bytes:
    """Return what stands in `log`, and empty it; whoever writes there appends."""
    if not log.exists():
        return b""
    text = log.read_bytes()
    with log.open("r+b") as file:
        file.truncate(0)
    return text
