"""Read those options of ``impbench run`` that say how and where to run."""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from impbench.errors import InputError
from impbench.parameters import split_spec, split_specs
from impbench.runner.secret import Secret
from impbench.runner.settings import Settings
from impbench.runner.walls import Openings

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_BYTES = {"": 1, "B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}


def read_specs(given: Sequence[str]) -> list[str]:
    """Split what an option was given, commas and repetition alike."""
    return [spec for text in given for spec in split_specs(text)]


def read_settings(
    jobs: int | None,
    threads: int | None,
    timeout: str | None,
    memory: str | None,
    device: str,
    fresh: bool,
) -> Settings:
    """Return `Settings` for a run with these options; None is what the user did not say.

    Raises
    ------
    InputError
        If `timeout` or `memory` is no quantity.
    """
    return Settings(
        jobs,
        threads,
        timeout=math.inf if timeout == "none" else _quantity(timeout, _SECONDS, "--timeout"),
        memory=int(_quantity(memory, _BYTES, "--memory") or 0) or None,
        device=device,
        fresh=fresh,
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
        If a path does not exist.
    """
    for path in (*(readable or ()), *(writable or ())):
        if not path.exists():
            raise InputError(f"{path} is to be opened for methods and does not exist")
    openings = Openings((), _whole(readable), _whole(writable), network)
    return replace(settings, openings=openings)


def _whole(paths: Sequence[Path] | None) -> tuple[Path, ...]:
    return tuple(path.resolve() for path in paths or ())


def read_executor(
    executor: str | None,
    scheduler: str | None,
    workers: int | None,
    options: Sequence[str] | None,
    tls: Mapping[str, Path | None],
) -> str:
    """Return the spec of where to run, with what the other options say of its parameters.

    Parameters
    ----------
    executor
        As the user wrote it, ``dask`` or ``dask[scheduler=tcp://10.0.0.1:8786]``; None is this
        machine.

    Raises
    ------
    InputError
        If there are such options and no executor, or brackets are malformed.
    """
    parameters = {"scheduler": scheduler, "workers": workers, "options": options, **tls}
    given = {name: value for name, value in parameters.items() if value}
    if executor is None:
        if given:
            raise InputError(
                "--scheduler, --workers, --cluster-option and --tls-... need --executor"
            )
        return "local"
    name, values = split_spec(executor)
    # JSON's texts, numbers and lists are TOML's, in which parameters are written.
    values |= {key: json.dumps(value, default=str) for key, value in given.items()}
    return f"{name}[{','.join(f'{key}={text}' for key, text in values.items())}]"


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


def narrowed(choice: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a run's choice remains open beside published rows (``--against``).

    Raises
    ------
    InputError
        If anything else was chosen: seeds, metrics and data are the published ones.
    """
    own = any(not isinstance(source, str) for source in choice["datasets"] or ())
    fixed = {
        "--seeds": choice["seeds"],
        "--metrics": choice["metrics"],
        "--per": choice["per"] != "all",
        "--secret-seed or --revealed-seed": choice["secret"],
        "--data": own,
    }
    if said := [option for option, value in fixed.items() if value]:
        raise InputError(
            f"{', '.join(said)} and --against do not go together: the published run has "
            "decided that"
        )
    return {name: choice[name] for name in ("imputers", "datasets", "protocols")}


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


def command_line(revealed: Sequence[str] = ()) -> str:
    """Return what was typed, a secret seed replaced by what it was."""
    words = ["impbench"]
    for word in sys.argv[1:]:
        words += revealed if revealed and word == "--secret-seed" else [word]
    return shlex.join(words)
