"""A small suite with controls, published as packed records and a manifest."""

from __future__ import annotations

from pathlib import Path

import impbench
from impbench.merging.inputs import read_input
from impbench.merging.merge import merge
from impbench.plan.suite import Question, Suite
from impbench.registry import registry
from impbench.runner.settings import Settings

HOSTILE = Path(__file__).parents[1] / "example_plugins" / "hostile.py"
DATASETS = tuple(f"sim_{name}[n_cells=40,n_genes=60]" for name in ("equal", "rare"))
PROTOCOLS = ("simulated-truth", "clustering")
SUITE = Suite("small", "Small", "", (Question(DATASETS, PROTOCOLS),), (), 1, True)
SETTINGS = Settings(jobs=2, threads=1, timeout=60)


def publish(folder: Path) -> Path:
    run = folder.with_name("run")
    impbench.run(SUITE, run, report=False, settings=SETTINGS)
    merge([read_input(run)], folder, registry(), pictures=False)
    return folder
