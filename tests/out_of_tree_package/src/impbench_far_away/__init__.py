"""One of everything a plugin can add to impbench: what the entry point names, and its hooks."""

from __future__ import annotations

from pathlib import Path

import typer

from impbench import Imputer, hookimpl
from impbench.data.dataset import Source
from impbench.external.manifest import imputer_class
from impbench.metrics.metric import Metric
from impbench.protocols.protocol import Protocol

from .command import greet_app
from .dataset import TwoTypes
from .imputer import Smooth
from .metric import zero_error
from .protocol import FarTruth

FarAwk = imputer_class(Path(__file__).with_name("far_awk.toml"), __name__)


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer two imputers: a class, and a program with its manifest."""
    return [Smooth, FarAwk]


@hookimpl
def impbench_metrics() -> list[Metric]:
    """Offer one metric."""
    return [zero_error]


@hookimpl
def impbench_datasets() -> list[type[Source]]:
    """Offer one source of data."""
    return [TwoTypes]


@hookimpl
def impbench_protocols() -> list[type[Protocol]]:
    """Offer one question."""
    return [FarTruth]


@hookimpl
def impbench_suites() -> list[Path]:
    """Offer one suite."""
    return [Path(__file__).with_name("far-suite.toml")]


@hookimpl
def impbench_commands() -> list[typer.Typer]:
    """Offer one command."""
    return [greet_app]
