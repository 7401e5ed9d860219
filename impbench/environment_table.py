"""What `impbench env test` says: a few lines for each method, and the table as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from impbench.write_atomically import write_atomically

if TYPE_CHECKING:
    from impbench.runner.environment_trial import Trial


def print_trial(trial: Trial) -> None:
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


def write_trials(path: Path, trials: Sequence[Trial]) -> None:
    """Write one row per method; the columns are the fields of `Trial`."""
    from impbench.runner.environment_trial import Trial

    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Trial)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(trial) for trial in trials)
    write_atomically(path, text.getvalue().encode())
