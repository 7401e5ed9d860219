"""What the harness costs: a run beside calling the same imputers directly.

Run ``python benchmarks/overhead.py [--cells 1000] [--seeds 10] [--rounds 2] [--before PYTHON]`` on
Linux. The questions are those of the suite maskclass-paper on its simulated data. "direct" loads
each dataset once, prepares every imputer for it, and calls it for every seed, all in one process on
one thread. A run, one job at a time, forks a process per imputation, hands the data over, scores,
and stores a record; its controls are left out, as direct calls have none. The Python of another
build's environment is measured in turns with this one, and so is ``impbench --help`` of each.

A machine's speed changes while it works. Therefore both sides work at the same time, each on a core
of its own, and in the next round each on the other's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

DATASETS = "sim_equal,sim_unequal,sim_rare,sim_batch"
IMPUTERS = ("maskclass-best", "maskclass-balanced", "magic")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
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
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--before", help="Python of the other build")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    datasets = [f"{name}[n_cells={options.cells}]" for name in DATASETS.split(",")]
    if options.child:
        print(json.dumps(direct(datasets, options.seeds)))
        return
    n_jobs = len(datasets) * len(IMPUTERS) * options.seeds
    print(f"{n_jobs} imputations a round")
    builds = {"this build": sys.executable}
    if options.before:
        builds["before"] = options.before
    for python in builds.values():  # What is compiled is kept before anything is timed.
        both(python, datasets[:1], argparse.Namespace(cells=options.cells, seeds=1), turn=0)
    rounds: dict[str, list[list[tuple[float, float]]]] = {build: [] for build in builds}
    for turn in range(options.rounds):
        for build, python in builds.items():
            rounds[build].append(both(python, datasets, options, turn))
            (alone, imputing), (within, inside) = rounds[build][-1]
            print(
                f"{build}, round {turn + 1}: direct {alone:.1f} s (imputing {imputing:.1f} s), "
                f"run {within:.1f} s (imputing {inside:.1f} s), ratio {within / alone:.3f}",
                flush=True,
            )
    for build, measured in rounds.items():
        (alone, imputing), (within, inside) = np.sum(measured, axis=0)
        print(
            f"{build}, all rounds: ratio {within / alone:.3f}, "
            f"{(within - alone) / (n_jobs * options.rounds):+.3f} s per imputation; the imputers' "
            f"own time is {inside / imputing:.3f} times that of direct calls"
        )
    print_help_seconds(builds)


def print_help_seconds(builds: dict[str, str]) -> None:
    helps: dict[str, list[float]] = {build: [] for build in builds}
    for _ in range(11):
        for build, python in builds.items():
            started = time.perf_counter()
            subprocess.run([command_of(python), "--help"], stdout=subprocess.DEVNULL, check=True)
            helps[build].append(time.perf_counter() - started)
    for build, seconds in helps.items():
        print(f"{build}: impbench --help takes {np.median(seconds):.2f} s (median of 11)")


def command_of(python: str) -> str:
    return str(Path(python).with_name("impbench"))


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


def both(
    python: str, datasets: list[str], options: argparse.Namespace, turn: int
) -> list[tuple[float, float]]:
    """Return, of direct calls and of a run, the wall-clock seconds and those spent imputing."""
    with tempfile.TemporaryDirectory() as folder:
        suite, out, said = (Path(folder) / name for name in ("overhead.toml", "out", "direct.json"))
        text = SUITE.format(imputers=json.dumps(IMPUTERS), datasets=json.dumps(datasets))
        suite.write_text(text)
        seeds = ["--seeds", str(options.seeds)]
        calls = [python, __file__, "--child", "--cells", str(options.cells), *seeds]
        run = [command_of(python), "run", "--suite", str(suite)]
        run += [
            *seeds,
            "--jobs",
            "1",
            "--threads",
            "1",
            "--quiet",
            "--no-report",
            "--out",
            str(out),
        ]
        first, second = sorted(os.sched_getaffinity(0))[:2]
        cores = (first, second) if turn % 2 == 0 else (second, first)
        seconds = side_by_side([calls, run], cores, said)
        table = pd.read_parquet(out / "results.parquet")
        inside = table.loc[table["metric"] == "wall-seconds", "value"].sum()
        return [(seconds[0], float(json.loads(said.read_text()))), (seconds[1], inside)]


def side_by_side(
    commands: Sequence[Sequence[str]], cores: Sequence[int], output: Path
) -> list[float]:
    """Run the commands at once, each on its core, the first one's output to a file; time each."""
    everywhere = os.sched_getaffinity(0)
    env = {**os.environ, **dict.fromkeys(THREADS, "1")}
    places, seconds = {}, [0.0] * len(commands)
    with output.open("w") as file:
        for place, command in enumerate(commands):
            os.sched_setaffinity(0, {cores[place]})
            started = time.perf_counter()
            process = subprocess.Popen(command, env=env, stdout=None if place else file)
            places[process.pid] = place, started
        os.sched_setaffinity(0, everywhere)
        for _ in commands:
            pid, status = os.wait()
            place, started = places[pid]
            seconds[place] = time.perf_counter() - started
            if status:
                raise SystemExit(f"{commands[place][0]} failed")
    return seconds


if __name__ == "__main__":
    main()
