"""``impbench env``: environments of methods that ask for packages or a Python of their own."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from impbench.command_help import Commands
from impbench.options import Plugin, load_plugins, option

if TYPE_CHECKING:
    from impbench.runner.environment_trial import Trial

env_app = Commands(help="Environments of methods that ask for packages of their own.")


@env_app.command("list")
def list_() -> None:
    """List the finished environments, and what each was built for."""
    from impbench.environments import environments

    for found in environments.cached():
        megabytes = environments.size(found.folder) / 2**20
        wanted = ", ".join(found.requires)
        typer.echo(f"{found.key}  {found.interpreter}  {megabytes:5.0f} MiB  {wanted}")


@env_app.command()
def build(
    name: Annotated[str, typer.Argument(help="A method, such as dca-original.")],
    plugin: Plugin = None,
) -> None:
    """Build a method's environment ahead of a run, unless it is there; print its folder."""
    from impbench.environments.environments import build_all
    from impbench.environments.interpreters import BuildError
    from impbench.errors import UnavailableError
    from impbench.registry import registry

    load_plugins(plugin)
    imputer = type(registry().imputer(name))
    built = build_all([imputer], lambda text: typer.echo(f"building {text}", err=True))
    if imputer not in built:
        typer.echo(f"{name} needs no environment of its own")
        return
    environment = built[imputer]
    if isinstance(environment, BuildError):
        typer.echo(environment.log, err=True)
        raise UnavailableError(f"{name}: {environment}")
    typer.echo(environment.folder)


@env_app.command()
def lock(
    name: Annotated[str, typer.Argument(help="A method that declares a lockfile.")],
    plugin: Plugin = None,
) -> None:
    """Write a method's lockfile: build with the newest versions that fit, and note them all."""
    from impbench.environments import environments
    from impbench.environments.lockfile import write_lock
    from impbench.registry import registry

    load_plugins(plugin)
    imputer = type(registry().imputer(name))
    wish = environments.Wish.newest(imputer)
    built = environments.obtain(
        wish, announce=lambda: typer.echo(f"building {name}", err=True), anew=True
    )
    typer.echo(write_lock(imputer, built.interpreter, built.packages))


@env_app.command("test")
def examine(
    names: Annotated[
        list[str] | None, typer.Argument(help="Methods, such as dca-original.")
    ] = None,
    everything: Annotated[bool, option("Every method that asks for one.", "--all")] = False,
    out: Annotated[Path | None, option("Write the table as CSV.", "--out", "-o")] = None,
    plugin: Plugin = None,
) -> None:
    """Build environments from nothing and impute in each; exit status 1 when one fails."""
    from impbench.errors import InputError
    from impbench.registry import registry
    from impbench.runner.environment_trial import try_environment
    from impbench.runner.separate_process import needs_environment

    load_plugins(plugin)
    if everything == bool(names):
        raise InputError("env test needs names of methods, or --all; see impbench list imputers")
    known = registry()
    asked = [known.imputer(name) for name in (known.imputers if everything else names or [])]
    apart = [imputer for imputer in asked if needs_environment(imputer)]
    for imputer in asked:
        if imputer not in apart and not everything:
            raise InputError(f"{imputer.name} needs no environment of its own")
    trials = []
    for imputer in apart:
        trials.append(
            try_environment(imputer, lambda text: typer.echo(f"building {text}", err=True))
        )
        _print(trials[-1])
        if out is not None:
            _write(out, trials)
    if any(trial.status in ("unavailable", "failed") for trial in trials):
        raise typer.Exit(1)


def _print(trial: Trial) -> None:
    """Print one method's result."""
    typer.echo(f"{trial.imputer}: {trial.status}")
    if trial.build_seconds is not None and trial.megabytes is not None:
        built = f"{trial.build_seconds:.0f} s, {trial.megabytes:.0f} MiB"
        typer.echo(f"  environment: {trial.interpreter}; {trial.versions}; built in {built}")
    if trial.reason:
        typer.echo(f"  reason: {trial.reason}")
    if trial.seconds is not None:
        typer.echo(f"  200 cells × 300 genes: {trial.seconds:.2g} s; seeds: {trial.seeds}")
    if trial.zeros_filled is not None:
        kept = "kept" if trial.keeps_observed else "changed"
        typer.echo(
            f"  observed values {kept}, {trial.zeros_filled:.0%} of zeros filled, "
            f"{trial.negatives} values below zero"
        )


def _write(path: Path, trials: Sequence[Trial]) -> None:
    """Write one row per method; the columns are the fields of `Trial`."""
    from impbench.runner.environment_trial import Trial
    from impbench.write_atomically import write_atomically

    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Trial)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(trial) for trial in trials)
    write_atomically(path, text.getvalue().encode())


@env_app.command()
def clean() -> None:
    """Delete every environment; the next run builds anew what it needs."""
    from impbench.environments import environments

    typer.echo(f"freed {environments.clean() / 2**20:.0f} MiB")
