"""Methods, and a suite that runs them: what the entry point names, and its hooks."""

from __future__ import annotations

from pathlib import Path

from impbench import Imputer, hookimpl
from impbench.external.manifest import imputer_class

from .imputer import Smooth

FarAwk = imputer_class(Path(__file__).with_name("far_awk.toml"), __name__)


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer two imputers: a class, and a program with its manifest."""
    return [Smooth, FarAwk]


@hookimpl
def impbench_suites() -> list[Path]:
    """Offer one suite."""
    return [Path(__file__).with_name("far-suite.toml")]
