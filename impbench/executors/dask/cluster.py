"""Which cluster a run uses: a Dask scheduler that is there, or batch jobs it submits itself."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impbench.errors import InputError, UnavailableError

if TYPE_CHECKING:
    from distributed import Client
    from distributed.security import Security

INSTALL = 'pip install "impbench[dask]"'

BATCH_SYSTEMS = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "lsf": "LSFCluster",
    "sge": "SGECluster",
}
EXECUTORS = ("local", "dask", *BATCH_SYSTEMS)

CONNECT_SECONDS = 15
"""How long a scheduler may take to answer."""


@dataclass(frozen=True)
class TLS:
    """Files in PEM format; the same certificate serves client, scheduler and workers."""

    ca_file: Path
    cert: Path
    key: Path


@dataclass(frozen=True)
class Cluster:
    """Where jobs run, if not on this machine.

    Attributes
    ----------
    executor
        ``dask``, ``slurm``, ``pbs``, ``lsf`` or ``sge``.
    scheduler
        Address such as ``tcp://10.0.0.1:8786``; for ``dask``.
    workers
        How many batch jobs to submit; for the others.
    options
        Of the batch jobs, named as dask-jobqueue names them: ``cores``, ``memory``, ``queue``,
        ``walltime``, and so on. What is not given comes from dask-jobqueue's own configuration.
    tls
        Encrypt every connection with these; None leaves connections open.
    """

    executor: str
    scheduler: str | None = None
    workers: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    tls: TLS | None = None

    def __post_init__(self) -> None:
        if self.executor not in EXECUTORS[1:]:
            offer = ", ".join(EXECUTORS)
            raise InputError(f"no executor is called {self.executor!r}; there are {offer}")
        if self.executor == "dask":
            if self.scheduler is None:
                raise InputError(
                    "the executor dask needs the address of a scheduler: "
                    "--scheduler tcp://HOST:8786 (`dask scheduler` starts one and prints it)"
                )
            if self.options or self.workers != 1:
                raise InputError(
                    "--workers and --cluster-option describe batch jobs; the executor dask "
                    "submits none: start workers with `dask worker`"
                )
        elif self.scheduler is not None:
            raise InputError(
                f"--scheduler is for the executor dask; {self.executor} starts its own"
            )
        for path in (self.tls.ca_file, self.tls.cert, self.tls.key) if self.tls else ():
            if not path.is_file():
                raise InputError(f"TLS file {path} does not exist")

    def job_script(self, threads: int = 1) -> str:
        """Return the script of one batch job, whose tasks keep `threads` threads busy each.

        Raises
        ------
        InputError
            If the executor submits no batch jobs, or an option is unknown or missing.
        UnavailableError
            If dask-jobqueue is not installed.
        """
        if self.executor == "dask":
            raise InputError("the executor dask submits no batch jobs, so it has no job script")
        job = _batch_system(self.executor).job_cls
        address = f"{'tls' if self.tls else 'tcp'}://SCHEDULER:PORT"
        security = security_of(self.tls)
        protocol = None if security is None else "tls://"
        options = {"security": security, "protocol": protocol, **self._job_options(threads)}
        with _option_errors(self.executor):
            return str(job(address, name="WORKER", **options).job_script())

    @contextmanager
    def connect(self, threads: int) -> Iterator[Client]:
        """Connect to the scheduler, or start one and submit the batch jobs; close it at the end.

        Raises
        ------
        InputError
            If an option or the address is no good.
        UnavailableError
            If the extra is not installed, nobody answers, or the batch system refuses.
        """
        distributed = _package("distributed")
        security = security_of(self.tls)
        if self.executor == "dask":
            address = str(self.scheduler)
            with _connected(distributed.Client, address, security) as client:
                yield client
            return
        batch_system = _batch_system(self.executor)
        with _option_errors(self.executor):
            cluster = batch_system(security=security, **self._job_options(threads))
        with cluster, _connected(distributed.Client, cluster, security) as client:
            self.submit(cluster)
            yield client

    def submit(self, cluster: Any) -> None:
        """Submit the batch jobs that are not there, or no more.

        Raises
        ------
        UnavailableError
            If the batch system refuses; says what it printed.
        """
        while len(cluster.worker_spec) < self.workers:
            cluster.worker_spec.update(cluster.new_worker_spec())
        try:
            # Not `scale`, which submits in the background, where errors are only logged.
            cluster.sync(cluster._correct_state)
        except (RuntimeError, OSError, ValueError) as error:
            failed = _package("distributed").Status.failed
            for job in cluster.workers.values():
                # Else closing the cluster waits for jobs that never were.
                job.status = job.status if job.job_id else failed
            raise UnavailableError(f"{self.executor} did not take a batch job: {error}") from error

    def _job_options(self, threads: int) -> dict[str, Any]:
        """Let each Dask thread stand for one of our jobs, which keeps `threads` cores busy."""
        dask = _package("dask")
        configured = dask.config.get(f"jobqueue.{self.executor}")
        options = dict(self.options)
        if options.get("processes", configured["processes"]) is None:
            options["processes"] = 1
        cores = options.get("cores", configured["cores"])
        if threads > 1 and isinstance(cores, int):
            processes = options.get("processes", configured["processes"])
            slots = cores // processes // threads
            if slots < 1:
                raise InputError(
                    f"--threads {threads} is more than a worker has: "
                    f"{cores} cores for {processes} processes"
                )
            given = options.get("worker_extra_args", configured["worker-extra-args"])
            options["worker_extra_args"] = [*given, "--nthreads", slots]
        return options


def parse_option(text: str) -> tuple[str, Any]:
    """Read ``"cores=8"``; values are typed as Dask types those of its environment variables.

    Raises
    ------
    InputError
        If there is no ``=``.
    UnavailableError
        If Dask is not installed.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise InputError(f"--cluster-option {text!r} is not of the form name=value")
    return name, _package("dask").config.interpret_value(value)


def security_of(tls: TLS | None) -> Security | None:
    """Return what Dask needs to encrypt and to refuse whoever does not."""
    if tls is None:
        return None
    files: dict[str, str] = {"tls_ca_file": str(tls.ca_file)}
    for role in ("client", "scheduler", "worker"):
        files |= {f"tls_{role}_cert": str(tls.cert), f"tls_{role}_key": str(tls.key)}
    security: Security = _package("distributed").Security(require_encryption=True, **files)
    return security


@contextmanager
def _connected(kind: Any, address: Any, security: Security | None) -> Iterator[Client]:
    shown = address if isinstance(address, str) else address.scheduler_address
    with _construct(kind, address, security, shown) as client:
        yield client


def _construct(kind: Any, address: Any, security: Security | None, shown: str) -> Any:
    """Return a client that is connected, or close it before saying why it is not.

    Left to the garbage collector, a client that could not connect stops its event loop whenever it
    is collected. If that is while another client starts its own, which takes the same lock, the
    process waits for itself forever.
    """
    client = kind.__new__(kind)
    options = {"timeout": CONNECT_SECONDS, "set_as_default": False}
    try:
        client.__init__(address, security=security, **options)
    except (OSError, TimeoutError) as error:
        _discard(client)
        raise UnavailableError(
            f"no Dask scheduler answers at {shown} ({error}); start one with `dask scheduler`, "
            "and give the address it prints"
        ) from error
    except (ValueError, TypeError, RuntimeError) as error:
        _discard(client)
        raise InputError(f"cannot connect to the Dask scheduler {shown}: {error}") from error
    return client


def _discard(client: Any) -> None:
    client.close()
    client._loop_runner.stop()


@contextmanager
def _option_errors(executor: str) -> Iterator[None]:
    """Put what dask-jobqueue objects to into the words of the command line."""
    try:
        yield
    except (TypeError, ValueError) as error:
        first = str(error).splitlines()[0].partition(". Very likely")[0]
        raise InputError(
            f"{executor} job: {first} (options are given as --cluster-option cores=8 "
            "--cluster-option memory=16GB, or in Dask's jobqueue.yaml)"
        ) from error


def _batch_system(executor: str) -> Any:
    return getattr(_package("dask_jobqueue"), BATCH_SYSTEMS[executor])


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UnavailableError(f"running on a cluster needs {error.name}: {INSTALL}") from error
