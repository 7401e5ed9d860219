"""How long `impbench run --data` takes on 20 000 cells, and how much of that is imputing.

Run ``python benchmarks/own_data_speed.py [--before PATH] [--rounds 2] [--protocols P,P]``.

A file of 20 000 cells × 2 000 genes is drawn with a fixed seed: negative-binomial counts of six
types, 43 % above zero. It is run with `gene-mean` and the controls, one seed and no report; with
``--before PATH`` the `impbench` command of another build takes turns with ours. The floor is
reading the file and imputing: what every build must do. A build that asks more by default is
compared with one that asks less by naming what both are to ask. CPU seconds of the whole process
tree are what to compare on a machine that others use too.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp

from impbench.results.store import Store

IMPBENCH = str(Path(sys.executable).with_name("impbench"))
CELLS, GENES, TYPES = 20_000, 2_000, 6
COSTS = ("wall-seconds", "cpu-seconds", "peak-memory")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", help="the impbench command of another build")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--cells", type=int, default=CELLS)
    parser.add_argument("--protocols", help="what both builds ask; else each its default")
    options = parser.parse_args()
    builds = {"before": options.before} if options.before else {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "counts.h5ad"
        share = write_counts(file, options.cells)
        print(f"{options.cells} cells × {GENES} genes, {share:.1%} above zero")
        spent: dict[str, list[float]] = {}
        for round_ in range(options.rounds):
            for name, command in {**builds, "now": IMPBENCH}.items():
                out = Path(folder) / f"{name}-{round_}"
                wall, cpu = run(command, file, out, options.protocols)
                spent.setdefault(name, []).append(cpu)
                print(f"{name}: {wall:.1f} s, {cpu:.1f} s of CPU, {imputing(out):.1f} s imputing")
        if builds:
            before, now = (min(spent[name]) for name in ("before", "now"))
            print(f"least CPU: {before:.1f} before, {now:.1f} now, ratio {before / now:.2f}")
            old, new = (scores(Path(folder) / f"{name}-0") for name in ("before", "now"))
            shared = old.keys() & new.keys()
            equal = sum(old[key] == new[key] for key in shared)
            print(f"jobs: {len(old)} before, {len(new)} now; {equal} of {len(shared)} shared equal")


def write_counts(file: Path, n_cells: int) -> float:
    """Draw counts of `TYPES` types and write them with their labels; return the share above 0."""
    draw = np.random.default_rng(18)
    types = draw.integers(TYPES, size=n_cells)
    base = draw.lognormal(-0.55, 1.2, size=GENES)
    fold = np.where(draw.random((TYPES, GENES)) < 0.1, draw.lognormal(0, 1.0, (TYPES, GENES)), 1)
    depth = draw.lognormal(0, 0.3, size=n_cells)
    counts = np.empty((n_cells, GENES), np.float32)
    for at in range(0, n_cells, 1000):
        cells = slice(at, at + 1000)
        mean = depth[cells, None] * (base * fold)[types[cells]]
        # Gamma-Poisson: negative binomial with a dispersion of one half.
        counts[cells] = draw.poisson(mean * draw.gamma(2.0, 0.5, mean.shape))
    obs = pd.DataFrame({"cell_type": pd.Categorical([f"type {i}" for i in types])})
    obs.index = [f"cell{i}" for i in range(n_cells)]
    var = pd.DataFrame(index=[f"gene{i}" for i in range(GENES)])
    ad.AnnData(sp.csr_matrix(counts), obs, var).write_h5ad(file)
    return float((counts > 0).mean())


def run(command: str, file: Path, out: Path, protocols: str | None) -> tuple[float, float]:
    """Run the benchmark; return wall-clock and CPU seconds of the whole process tree."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    words = f"run --data {file} --label-key cell_type --imputers gene-mean --seeds 1 --no-report"
    words += f" --quiet --jobs 1 --threads 1 --out {out}"
    if protocols is not None:
        words += f" --protocols {protocols}"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([command, *words.split()], check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return time.perf_counter() - start, cpu


def imputing(out: Path) -> float:
    """Wall-clock seconds of all imputations."""
    records = Store.open(out).read().records
    return sum(record.cost.wall_seconds for record in records if record.cost is not None)


def scores(out: Path) -> dict[str, dict[str, float]]:
    """Scores by key; those of time and memory differ from run to run."""
    found = {}
    for path in sorted((out / "records").glob("*.json")):
        values = json.loads(path.read_text(encoding="utf-8"))["scores"]
        found[path.stem] = {name: value for name, value in values.items() if name not in COSTS}
    return found


if __name__ == "__main__":
    main()
