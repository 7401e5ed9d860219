"""Time and peak memory of our Splat simulator, each size in a process of its own.

Run ``python benchmarks/splat.py``. Wall time includes starting Python and importing impbench; peak
memory is that of the whole process. For comparison: R's splatter 1.22.1 takes 2.3 to 4.6 s for
5 000 cells × 1100 genes, without R's own start.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time

CELLS = (1_000, 5_000, 20_000, 100_000)
SCENARIOS = ("sim_equal", "sim_rare", "sim_batch")


def main() -> None:
    print(f"{os.cpu_count()} cores; sim_rare at each size, then all at 5 000 cells, 1100 genes")
    print(
        f"{'scenario':10} {'cells':>8} {'wall s':>8} {'simulate s':>11} {'CPU s':>8} {'peak MB':>8}"
    )
    jobs = [("sim_rare", n) for n in CELLS] + [(name, 5_000) for name in SCENARIOS]
    for name, n_cells in jobs:
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, __file__, name, str(n_cells)], check=True, capture_output=True
        )
        wall = time.perf_counter() - start
        measured = json.loads(done.stdout)
        print(
            f"{name:10} {n_cells:8} {wall:8.2f} {measured['seconds']:11.2f} "
            f"{measured['cpu']:8.2f} {measured['peak_mb']:8.0f}"
        )


def load(name: str, n_cells: int) -> None:
    from impbench.data.simulate import SCENARIOS as known

    start = time.perf_counter()
    dataset = known[name](n_cells=n_cells).load()
    seconds = time.perf_counter() - start
    assert dataset.n_cells == n_cells
    usage = resource.getrusage(resource.RUSAGE_SELF)
    # macOS counts bytes, Linux kibibytes.
    peak = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    print(json.dumps({"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "peak_mb": peak}))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        load(sys.argv[1], int(sys.argv[2]))
    else:
        main()
