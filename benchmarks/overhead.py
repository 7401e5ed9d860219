"""What the harness costs: a run beside calling the same imputers directly.

Run ``python benchmarks/overhead.py [--cells 1000] [--seeds 10] [--jobs 1 2]``. The questions are
those of the suite maskclass-paper on its simulated data. "direct" loads each dataset once, prepares
every imputer for it, and calls it for every seed, all in one process on one thread. A run forks a
process per imputation, hands the data over, scores, and stores a record; its controls are left out,
as direct calls have none.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from impbench.runner.execute import thread_environment

DATASETS = "sim_equal,sim_unequal,sim_rare,sim_batch"
IMPUTERS = ("maskclass-best", "maskclass-balanced", "magic")
SUITE = """
title = "Overhead"
controls = false
imputers = {imputers}
[[question]]
datasets = {datasets}
protocols = ["simulated-truth"]
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    datasets = [f"{name}[n_cells={options.cells}]" for name in DATASETS.split(",")]
    if options.child:
        print(json.dumps(direct(datasets, options.seeds)))
        return
    command = [sys.executable, __file__, "--child", "--cells", str(options.cells)]
    command += ["--seeds", str(options.seeds)]
    start = time.perf_counter()
    env = thread_environment(1)
    child = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=env)
    imputing = json.loads(child.stdout)
    alone = time.perf_counter() - start
    n_jobs = len(datasets) * len(IMPUTERS) * options.seeds
    print(f"{n_jobs} imputations, direct: {alone:.1f} s, of which imputing {imputing:.1f} s")
    for jobs in options.jobs:
        seconds, inside = run(datasets, options.seeds, jobs)
        extra = (seconds - alone) / n_jobs
        print(f"impbench run --jobs {jobs}: {seconds:.1f} s, of which imputing {inside:.1f} s")
        print(f"  ratio {seconds / alone:.2f}, {extra:+.2f} s per imputation", flush=True)


def direct(datasets: list[str], seeds: int) -> float:
    import impbench
    from impbench.registry import registry

    known, spent = registry(), 0.0
    for spec in datasets:
        protocol = known.protocol("simulated-truth")
        observed = protocol.pose(known.dataset(spec).load(), 1).observed
        for name in IMPUTERS:
            imputer = impbench.get_imputer(name)
            imputer.prepare(impbench.Context())
            for seed in range(1, seeds + 1):
                start = time.perf_counter()
                imputer.impute(observed, impbench.Context(seed=seed))
                spent += time.perf_counter() - start
    return spent


def run(datasets: list[str], seeds: int, jobs: int) -> tuple[float, float]:
    """Return the wall-clock seconds of a run, and those its workers say they imputed."""
    with tempfile.TemporaryDirectory() as folder:
        suite = Path(folder) / "overhead.toml"
        text = SUITE.format(imputers=json.dumps(IMPUTERS), datasets=json.dumps(datasets))
        suite.write_text(text)
        command = [str(Path(sys.executable).with_name("impbench")), "run", "--suite", str(suite)]
        command += ["--seeds", str(seeds), "--jobs", str(jobs), "--threads", "1", "--quiet"]
        command += ["--no-report", "--out", str(Path(folder) / "out")]
        start = time.perf_counter()
        subprocess.run(command, check=True)
        seconds = time.perf_counter() - start
        table = pd.read_parquet(Path(folder) / "out" / "results.parquet")
        return seconds, table.loc[table["metric"] == "wall-seconds", "value"].sum()


if __name__ == "__main__":
    main()
