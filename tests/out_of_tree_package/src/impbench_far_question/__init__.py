"""A question and what it needs, in a package of its own: it must not share one with a method."""

from __future__ import annotations

import typer

from impbench import hookimpl
from impbench.data.dataset import Source
from impbench.metrics.metric import Metric
from impbench.protocols.protocol import Protocol

from .command import greet_app
from .dataset import TwoTypes
from .metric import zero_error
from .protocol import FarTruth


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
def impbench_commands() -> list[typer.Typer]:
    """Offer one command."""
    return [greet_app]
