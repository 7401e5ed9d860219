"""A suite small enough to be run whole, and how its tables are compared."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

import impbench
from impbench.merging.inputs import read_input
from impbench.merging.merge import Merged, merge
from impbench.plan.suite import Question, Suite
from impbench.registry import registry
from impbench.runner.settings import Settings
from impbench.scoring.score import COST_METRICS

FINE, OTHER = "permuted", "nonzero-mean"
"""Quick to start; the first gives something else for every seed."""
DATASETS = tuple(f"sim_{name}[n_cells=40,n_genes=60]" for name in ("equal", "rare"))
PROTOCOLS = ("simulated-truth", "clustering", "thinning")
SUITE = Suite("sliced", "Sliced", "", (Question(DATASETS, PROTOCOLS),), (FINE, OTHER), 2, False)


def run(out: Path, **choice: object) -> impbench.Results:
    settings = Settings(jobs=2, threads=1, timeout=60)
    return impbench.run(SUITE, out, report=False, settings=settings, **choice)  # type: ignore[arg-type]


def together(out: Path, *runs: Path, **options: object) -> Merged:
    inputs = [read_input(path) for path in runs]
    return merge(inputs, out, registry(), suite=SUITE, **options)  # type: ignore[arg-type]


def scores(folder: Path) -> pd.DataFrame:
    """What does not depend on the clock, in the order of the file."""
    table = pd.read_parquet(folder / "results.parquet")
    return table[~table.metric.isin(COST_METRICS)].reset_index(drop=True)
