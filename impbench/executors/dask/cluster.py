"""What executors on Dask share: who may connect, how, and what a run cannot ask of a cluster."""

from __future__ import annotations

import importlib
from abc import abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from impbench.errors import InputError, UnavailableError
from impbench.parameters import parameter
from impbench.runner.executor import Executor

if TYPE_CHECKING:
    from distributed import Client
    from distributed.security import Security

    from impbench.runner.settings import Settings

INSTALL = 'pip install "impbench[dask]"'

CONNECT_SECONDS = 15
"""How long a scheduler may take to answer."""

_PEM = "Encrypt every connection: {}, PEM; all three or none."


@dataclass(frozen=True)
class Cluster(Executor):
    """Workers of a Dask scheduler, on machines that share nothing with this one."""

    tls_ca_file: str | None = parameter(None, _PEM.format("file of the certificate authority"))
    tls_cert: str | None = parameter(None, _PEM.format("certificate of scheduler and workers"))
    tls_key: str | None = parameter(None, _PEM.format("its key"))

    patience: ClassVar[float | None] = None
    """Seconds that a run goes on without a worker that could do what is left; None for ever."""

    def settle(self, settings: Settings) -> Settings:
        """Refuse what workers elsewhere decide themselves; `auto` is the CPU.

        Raises
        ------
        InputError
            If the settings ask for that.
        UnavailableError
            If the extra is not installed.
        """
        if settings.jobs is not None:
            raise InputError(
                "the workers decide how many jobs run at once: give --workers (batch jobs), "
                "or start more Dask workers, instead of --jobs"
            )
        if settings.device.startswith("cuda:"):
            raise InputError(
                f"device {settings.device!r}: on a cluster a job takes any GPU; use cuda"
            )
        if settings.openings.named():
            raise InputError("--allow-read and its like are for this machine, not for a cluster")
        self.security_files()
        # Before anything is prepared: what lacks should not be said after hours.
        package("distributed")
        return super().settle(settings)

    @abstractmethod
    def connect(self, threads: int) -> AbstractContextManager[Client]:
        """Connect to the scheduler, for jobs that keep `threads` threads busy; close it at the end.

        Raises
        ------
        InputError
            If a parameter is no good.
        UnavailableError
            If the extra is not installed, nobody answers, or the batch system refuses.
        """

    def whose(self, address: str) -> str:
        """Say whose workers the scheduler at `address` has."""
        return address

    def advice(self, address: str) -> str:
        """Say how to start a worker; empty where nobody but the executor does."""
        return ""

    def replace_workers(self, client: Client) -> None:
        """Start workers again that ended; called every few seconds."""

    def security_files(self) -> tuple[str, str, str] | None:
        """Return the files for encryption; None leaves connections open.

        Raises
        ------
        InputError
            If some are not given or do not exist.
        """
        files = (self.tls_ca_file, self.tls_cert, self.tls_key)
        if files == (None, None, None):
            return None
        ca_file, cert, key = files
        if ca_file is None or cert is None or key is None:
            raise InputError("encryption needs all of --tls-ca-file, --tls-cert and --tls-key")
        for file in (ca_file, cert, key):
            if not Path(file).is_file():
                raise InputError(f"TLS file {file} does not exist")
        return ca_file, cert, key

    def security(self) -> Security | None:
        """Return what Dask needs to encrypt and to refuse whoever does not."""
        given = self.security_files()
        if given is None:
            return None
        ca_file, cert, key = given
        files = {"tls_ca_file": ca_file}
        for role in ("client", "scheduler", "worker"):
            files |= {f"tls_{role}_cert": cert, f"tls_{role}_key": key}
        security: Security = package("distributed").Security(require_encryption=True, **files)
        return security


def connected(address: Any, security: Security | None) -> Client:
    """Connect to a scheduler's address, or to a cluster of dask-jobqueue; a block closes it.

    A client that cannot connect is closed before anyone says why. Left to the garbage collector, it
    stops its event loop whenever it is collected. If that is while another client starts its own,
    which takes the same lock, the process waits for itself forever.

    Raises
    ------
    InputError
        If the address is none.
    UnavailableError
        If nobody answers.
    """
    shown = address if isinstance(address, str) else address.scheduler_address
    kind = package("distributed").Client
    client: Client = kind.__new__(kind)
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


def package(name: str) -> Any:
    """Import Dask or a part of it.

    Raises
    ------
    UnavailableError
        If it is not installed; says what installs it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UnavailableError(f"running on a cluster needs {error.name}: {INSTALL}") from error
