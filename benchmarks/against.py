"""What another build of impbench costs: whole runs of both, side by side, each on its own core.

Run ``python benchmarks/against.py OLD NEW [--cells 1000] [--seeds 3] [--rounds 2]`` on Linux, where
OLD and NEW are the ``impbench`` commands of two environments. The questions are those of the suite
maskclass-paper on its simulated data, as in ``overhead.py``; one job at a time, no report, controls
left out. A machine's speed changes while it works. Therefore both work at the same time, and in the
next round each on the other's core. One small run of each, which is not timed, compiles first.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

DATASETS = ("sim_equal", "sim_unequal", "sim_rare", "sim_batch")
SUITE = """
title = "Against"
controls = false
imputers = ["maskclass-best", "maskclass-balanced", "magic"]
[[question]]
datasets = {datasets}
protocols = ["simulated-truth[library=own]"]
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("commands", nargs=2, metavar="IMPBENCH")
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    side_by_side(options.commands, 100, 1, 0)
    totals = [0.0, 0.0]
    for turn in range(options.rounds):
        seconds = side_by_side(options.commands, options.cells, options.seeds, turn)
        totals = [total + each for total, each in zip(totals, seconds, strict=True)]
        old, new = seconds
        print(f"round {turn + 1}: old {old:.1f} s, new {new:.1f} s, ratio {new / old:.3f}")
    print(f"all: old {totals[0]:.1f} s, new {totals[1]:.1f} s, ratio {totals[1] / totals[0]:.3f}")


def side_by_side(commands: list[str], cells: int, seeds: int, turn: int) -> list[float]:
    """Run both at the same time; return the seconds of each."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        suite = folder / "against.toml"
        datasets = [f"{dataset}[n_cells={cells}]" for dataset in DATASETS]
        suite.write_text(SUITE.format(datasets=str(datasets).replace("'", '"')))
        begun = time.monotonic()
        running = [
            subprocess.Popen(
                [
                    *("taskset", "-c", str(cores[(place + turn) % 2]), command, "run"),
                    *("--suite", suite, "--out", folder / str(place), "--seeds", str(seeds)),
                    *("--jobs", "1", "--threads", "1", "--no-report", "--quiet"),
                ]
            )
            for place, command in enumerate(commands)
        ]
        seconds: dict[int, float] = {}
        while len(seconds) < len(running):
            for place, process in enumerate(running):
                if place not in seconds and process.poll() is not None:
                    seconds[place] = time.monotonic() - begun
                    if process.returncode != 0:
                        raise SystemExit(f"{commands[place]} ended with {process.returncode}")
            time.sleep(0.05)
    return [seconds[place] for place in range(len(running))]


if __name__ == "__main__":
    main()
