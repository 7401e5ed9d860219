"""The options of ``impbench run`` that say how and where: texts read into `Settings`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from impbench.errors import InputError
from impbench.executors.dask.cluster import TLS, Cluster, parse_option
from impbench.runner.secret import Secret
from impbench.runner.settings import Settings
from impbench.runner.walls import Openings

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_BYTES = {"": 1, "B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}


def read_settings(
    jobs: int | None,
    threads: int | None,
    timeout: str | None,
    memory: str | None,
    device: str,
    fresh: bool,
    cluster: Cluster | None,
) -> Settings:
    """Return `Settings` for a run with these options; None is what the user did not say.

    Raises
    ------
    InputError
        If `timeout` or `memory` is no quantity, or options contradict each other.
    """
    return Settings.sensible(
        jobs,
        threads,
        timeout=math.inf if timeout == "none" else _quantity(timeout, _SECONDS, "--timeout"),
        memory=int(_quantity(memory, _BYTES, "--memory") or 0) or None,
        device=device,
        fresh=fresh,
        cluster=cluster,
    )


def open_walls(
    settings: Settings,
    readable: Sequence[Path] | None,
    writable: Sequence[Path] | None,
    network: bool,
) -> Settings:
    """Let methods read, or also write, what the user names.

    Raises
    ------
    InputError
        If a path does not exist, or on a cluster, whose workers have paths of their own.
    """
    paths = [*(readable or ()), *(writable or ())]
    if (paths or network) and settings.cluster is not None:
        raise InputError("--allow-read and its like are for this machine, not for a cluster")
    for path in paths:
        if not path.exists():
            raise InputError(f"{path} is to be opened for methods and does not exist")
    openings = Openings((), _whole(readable), _whole(writable), network)
    return replace(settings, openings=openings)


def _whole(paths: Sequence[Path] | None) -> tuple[Path, ...]:
    return tuple(path.resolve() for path in paths or ())


def read_cluster(
    executor: str,
    scheduler: str | None,
    workers: int,
    options: Sequence[str] | None,
    tls: TLS | None,
) -> Cluster | None:
    """Return where to run; None is this machine.

    Raises
    ------
    InputError
        If there is no such executor, or options contradict each other.
    UnavailableError
        If Dask is needed and not installed.
    """
    if executor == "local":
        if scheduler or options or tls or workers != 1:
            raise InputError(
                "--scheduler, --workers, --cluster-option and --tls-... need --executor"
            )
        return None
    given = dict(parse_option(option) for option in options or ())
    return Cluster(executor, scheduler, workers, given, tls)


def read_tls(ca_file: Path | None, cert: Path | None, key: Path | None) -> TLS | None:
    """Return the files for encryption; None where no option asks for it.

    Raises
    ------
    InputError
        If some are missing.
    """
    if ca_file is None and cert is None and key is None:
        return None
    if ca_file is None or cert is None or key is None:
        raise InputError("encryption needs all of --tls-ca-file, --tls-cert and --tls-key")
    return TLS(ca_file, cert, key)


def read_secret(drawn: bool, revealed: str | None) -> Secret | None:
    """Return a new secret, the one of an earlier run, or None.

    Raises
    ------
    InputError
        If both are asked for, or the earlier one is none.
    """
    if drawn and revealed is not None:
        raise InputError("--secret-seed draws a new seed; --revealed-seed repeats a known one")
    if revealed is not None:
        return Secret(revealed)
    return Secret.draw() if drawn else None


def _quantity(text: str | None, units: dict[str, int], option: str) -> float | None:
    """Read ``"20m"`` or ``"4GB"``."""
    if text is None:
        return None
    number = text.rstrip("".join(set("".join(units))))
    try:
        value = float(number) * units[text[len(number) :].strip()]
    except (ValueError, KeyError):
        value = 0
    if not value > 0:
        offer = ", ".join(unit for unit in units if unit)
        raise InputError(f"{option} {text!r} is not a positive number with a unit of {offer}")
    return value
