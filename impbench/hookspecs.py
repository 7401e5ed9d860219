"""The few things a plugin may add. Each hook returns a list; implement only those you need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import typer

    from impbench.data.dataset import Source
    from impbench.imputer import Imputer
    from impbench.metrics.metric import Metric
    from impbench.page_figure import PageFigure
    from impbench.parameters import Parametrised
    from impbench.protocols.protocol import Protocol

try:
    from pluggy import HookimplMarker, HookspecMarker

    hookspec, hookimpl = HookspecMarker("impbench"), HookimplMarker("impbench")
except ModuleNotFoundError:
    # An environment of a method's own: the worker imports the plugin there, but calls no hook.

    def _unmarked(function: Any) -> Any:
        return function

    hookspec = hookimpl = _unmarked  # type: ignore[assignment]


@hookspec
def impbench_imputers() -> list[type[Imputer]]:  # type: ignore[empty-body]
    """Imputation methods."""


@hookspec
def impbench_metrics() -> list[Metric]:  # type: ignore[empty-body]
    """Metrics, made with `impbench.metric`."""


@hookspec
def impbench_datasets() -> list[type[Source]]:  # type: ignore[empty-body]
    """Sources of data sets."""


@hookspec
def impbench_protocols() -> list[type[Protocol]]:  # type: ignore[empty-body]
    """Ways of asking the question."""


@hookspec
def impbench_suites() -> list[Path]:  # type: ignore[empty-body]
    """Suite files (TOML)."""


@hookspec
def impbench_figures() -> list[PageFigure]:  # type: ignore[empty-body]
    """Figures of the report's page, made with `impbench.figure`."""


@hookspec
def impbench_executors() -> list[type[Parametrised]]:  # type: ignore[empty-body]
    """Ways to carry out jobs: subclasses of `impbench.runner.executor.Executor`."""


@hookspec
def impbench_commands() -> list[typer.Typer]:  # type: ignore[empty-body]
    """Subcommands; each Typer app needs a name."""
