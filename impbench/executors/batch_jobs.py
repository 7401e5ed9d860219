"""Jobs on Dask workers that run as batch jobs, which dask-jobqueue submits to SLURM and others."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from impbench.errors import InputError, UnavailableError
from impbench.executors.dask.cluster import Cluster, connected, package
from impbench.parameters import parameter

if TYPE_CHECKING:
    from distributed import Client

    from impbench.results.record import Record
    from impbench.runner.executor import Work
    from impbench.runner.settings import Settings


@dataclass(frozen=True)
class BatchJobs(Cluster):
    """Batch jobs, each a Dask worker."""

    workers: int = parameter(1, "How many batch jobs to submit.", min=1)
    options: tuple[str, ...] = parameter(
        (),
        "Of each, as dask-jobqueue names them, such as cores=8; the rest is in Dask's "
        "jobqueue.yaml.",
    )

    batch_system: ClassVar[str]
    """Name of its class in dask-jobqueue."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for option in self.options:
            name, equals, _ = option.partition("=")
            if not equals or not name.isidentifier():
                raise InputError(f"--cluster-option {option!r} is not of the form name=value")

    def settle(self, settings: Settings) -> Settings:
        """Do as every cluster, and make sure that dask-jobqueue is there."""
        settled = super().settle(settings)
        self._system()
        return settled

    def carry_out(self, work: Work) -> Generator[Record]:
        """Yield a record per job; errors as those of `run_on_cluster`."""
        from impbench.executors.dask.run import run_on_cluster
        from impbench.executors.dask.worker_plugin import GPU

        script = self.job_script(work.settings.threads or 1)
        if f"{GPU}=" not in script and any(task.device != "cpu" for task in work.tasks):
            raise InputError(
                "the batch jobs announce no GPU: ask the batch system for one, and add "
                f"--cluster-option \"worker_extra_args=['--resources', '{GPU}=1']\""
            )
        return run_on_cluster(self, work)

    def job_script(self, threads: int) -> str:
        """Return the script of one batch job, whose tasks keep `threads` threads busy each.

        Errors as `Executor.job_script`; `UnavailableError` if dask-jobqueue is not installed.
        """
        security = self.security()
        address = f"{'tcp' if security is None else 'tls'}://SCHEDULER:PORT"
        protocol = None if security is None else "tls://"
        options = {"security": security, "protocol": protocol, **self._job_options(threads)}
        with self._option_errors():
            return str(self._system().job_cls(address, name="WORKER", **options).job_script())

    @contextmanager
    def connect(self, threads: int) -> Iterator[Client]:
        """Start a scheduler in this process and submit the batch jobs; end all at the end."""
        security, system = self.security(), self._system()
        with self._option_errors():
            cluster = system(security=security, **self._job_options(threads))
        with cluster, connected(cluster, security) as client:
            self.replace_workers(client)
            yield client

    def whose(self, address: str) -> str:
        """Say whose workers it waits for."""
        return f"{self.workers} batch jobs"

    def replace_workers(self, client: Client) -> None:
        """Submit the batch jobs that are not there, or no more.

        Raises
        ------
        UnavailableError
            If the batch system refuses; says what it printed.
        """
        cluster = client.cluster
        while len(cluster.worker_spec) < self.workers:
            cluster.worker_spec.update(cluster.new_worker_spec())
        try:
            # Not `scale`, which submits in the background, where errors are only logged.
            cluster.sync(cluster._correct_state)
        except (RuntimeError, OSError, ValueError) as error:
            failed = package("distributed").Status.failed
            for job in cluster.workers.values():
                # Else closing the cluster waits for jobs that never were.
                job.status = job.status if job.job_id else failed
            raise UnavailableError(f"{self.name} did not take a batch job: {error}") from error

    def _job_options(self, threads: int) -> dict[str, Any]:
        """Let each Dask thread stand for one of our jobs, which keeps `threads` cores busy."""
        # Imported first: it brings the defaults.
        system = self._system()
        config = package("dask").config
        configured = config.get(f"jobqueue.{system.job_cls.config_name}")
        given = (option.partition("=") for option in self.options)
        # Typed as Dask types the values of its environment variables.
        options = {name: config.interpret_value(text) for name, _, text in given}
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
            arguments = options.get("worker_extra_args", configured["worker-extra-args"])
            options["worker_extra_args"] = [*arguments, "--nthreads", slots]
        return options

    @contextmanager
    def _option_errors(self) -> Iterator[None]:
        """Put what dask-jobqueue objects to into the words of the command line."""
        try:
            yield
        except (TypeError, ValueError) as error:
            first = str(error).splitlines()[0].partition(". Very likely")[0]
            raise InputError(
                f"{self.name} job: {first} (options are given as --cluster-option cores=8 "
                "--cluster-option memory=16GB, or in Dask's jobqueue.yaml)"
            ) from error

    def _system(self) -> Any:
        return getattr(package("dask_jobqueue"), self.batch_system)


@dataclass(frozen=True)
class Slurm(BatchJobs):
    """Batch jobs of SLURM."""

    name = "slurm"
    summary = "Dask workers as batch jobs of SLURM."
    batch_system = "SLURMCluster"


@dataclass(frozen=True)
class PBS(BatchJobs):
    """Batch jobs of PBS."""

    name = "pbs"
    summary = "Dask workers as batch jobs of PBS."
    batch_system = "PBSCluster"


@dataclass(frozen=True)
class LSF(BatchJobs):
    """Batch jobs of LSF."""

    name = "lsf"
    summary = "Dask workers as batch jobs of LSF."
    batch_system = "LSFCluster"


@dataclass(frozen=True)
class SGE(BatchJobs):
    """Batch jobs of Sun Grid Engine."""

    name = "sge"
    summary = "Dask workers as batch jobs of SGE."
    batch_system = "SGECluster"
