"""What `ratchet.py` measures: each row makes its data, and returns the work that is timed.

A row is the small version of a promise about speed or memory; add one where a promise is made.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

import impbench
from impbench import Context, Observed

Work = Callable[[], object]
SCORING = """
title = "Scoring"
controls = false
imputers = ["gene-mean"]
[[question]]
datasets = ["sim_batch[n_cells=2000]"]
protocols = ["simulated-truth", "clustering"]
"""
IMPBENCH = str(Path(sys.executable).with_name("impbench"))


def silhouettes_of_three() -> Work:
    from impbench.metrics.silhouette import silhouettes

    rng = np.random.default_rng(0)
    points = rng.normal(size=(3000, 50)).astype(np.float32)
    return partial(silhouettes, points, [rng.integers(k, size=3000) for k in (6, 8, 3)])


def imputing(spec: str, n_cells: int, n_genes: int) -> Work:
    """Impute counts of six types of cells."""
    counts, types = some_counts(n_cells, n_genes)
    observed = Observed.from_counts(counts, n_groups=len(np.unique(types)))
    imputer, context = impbench.get_imputer(spec), Context(seed=1, device="cpu", threads=1)
    imputer.prepare(context)
    return partial(imputer.impute, observed, context)


def own_file() -> Work:
    """Run on a user's file, from the command line to the table of scores."""
    import anndata
    import pandas as pd

    counts, types = some_counts(800, 500)
    folder = Path(tempfile.mkdtemp())
    obs = pd.DataFrame({"type": pd.Categorical([f"type {k}" for k in types])})
    obs.index = [f"cell {k}" for k in range(len(obs))]
    data = anndata.AnnData(counts.astype(np.float32), obs=obs)
    data.var_names = [f"gene {k}" for k in range(counts.shape[1])]
    data.write_h5ad(folder / "own.h5ad")
    return partial(run, "--data", str(folder / "own.h5ad"), "--label-key", "type", "--genes", "0")


def simulated() -> Work:
    """Impute 2 000 simulated cells by a formula and score that."""
    suite = Path(tempfile.mkdtemp()) / "scoring.toml"
    suite.write_text(SCORING)
    return partial(run, "--suite", str(suite))


def page() -> Work:
    """Draw the page of a finished run."""
    folder = Path(tempfile.mkdtemp())
    command = [IMPBENCH, "run", "--suite", "default", "--seeds", "1", "--quiet", "--no-report"]
    subprocess.run([*command, "--imputers", "gene-mean", "--out", str(folder)], check=True)
    return partial(
        subprocess.run, [IMPBENCH, "report", str(folder)], check=True, capture_output=True
    )


def worker_start() -> Work:
    """Get a worker ready for MaskClass."""
    code = "import impbench; impbench.get_imputer('maskclass-best').prepare(impbench.Context())"
    return partial(subprocess.run, [sys.executable, "-c", code], check=True)


def some_counts(n_cells: int, n_genes: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw counts of six types, about 40 % above 0, and the types."""
    rng = np.random.default_rng(0)
    types = rng.integers(6, size=n_cells)
    means = rng.gamma(0.5, 2, size=(6, n_genes))[types] * rng.gamma(4, 0.25, size=(n_cells, 1))
    counts = rng.poisson(means)
    counts[0, counts.sum(axis=0) == 0] = 1
    return counts, types


def run(*options: str) -> None:
    """Run `impbench run` with one formula, one seed and one worker."""
    command = [IMPBENCH, "run", "--imputers", "gene-mean", "--seeds", "1", "--jobs", "1", *options]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*command, "--no-report", "--quiet", "--out", folder], check=True)


ROWS: dict[str, Callable[[], Work]] = {
    "silhouettes": silhouettes_of_three,
    "scoring": simulated,
    "own file": own_file,
    "page": page,
    "worker start": worker_start,
    "maskclass-best": partial(imputing, "maskclass-best[epochs=30]", 1000, 1000),
    "maskclass-balanced": partial(imputing, "maskclass-balanced[epochs=30]", 1000, 1000),
    "magic": partial(imputing, "magic", 2500, 500),
    "knn-smoothing": partial(imputing, "knn-smoothing", 2000, 500),
    "dca": partial(imputing, "dca[epochs=10]", 500, 500),
    "drimpute": partial(imputing, "drimpute", 200, 400),
    "saver": partial(imputing, "saver", 100, 150),
    "alra": partial(imputing, "alra", 1500, 500),
}
