"""Small runs of well and badly behaved imputers, and what is left of their processes."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import psutil

import impbench
from impbench.plan.suite import read_suite
from impbench.runner.run import Results
from impbench.runner.settings import Settings
from impbench.worker.sandbox import MARK

HOSTILE = Path(__file__).parents[1] / "example_plugins" / "hostile.py"
OURS = "IMPBENCH_TEST_PROCESS"
"""Inherited by every process of these tests; somebody else may run impbench on this machine."""
os.environ.setdefault(OURS, str(os.getpid()))
SUITE = read_suite(Path(__file__).parents[1] / "tiny.toml")


def settings(**changes: object) -> Settings:
    return Settings(**{"jobs": 2, "threads": 1, "timeout": 60.0, **changes})  # type: ignore[arg-type]


def run(out: Path, *imputers: str, **options: object) -> Results:
    options.setdefault("settings", settings())
    return impbench.run(SUITE, out, imputers=imputers, report=False, **options)  # type: ignore[arg-type]


def scores(results: Results, imputer: str) -> pd.DataFrame:
    return results.scores[results.scores.imputer == imputer]


def strays() -> list[str]:
    """Processes of this test process's tasks that are still alive."""
    found = []
    for process in psutil.process_iter():
        try:
            environ = process.environ()
            ours = environ.get(OURS) == os.environ[OURS]
            if MARK in environ and ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except (psutil.Error, OSError):
            continue
    return found
