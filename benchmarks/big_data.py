"""100 000 cells from simulation to report: the peak memory of every process, and where time goes.

Run ``python benchmarks/big_data.py [--cells 100000] [--imputers ...]``. A run is
watched from outside, and each process's peak is the kernel's own (VmHWM: resident, mapped files and
libraries included), by its part in the run. Linux only.
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
import psutil

SUITE = """
title = "Big data"
controls = false
seeds = 1
imputers = {imputers}
[[question]]
datasets = ["sim_equal[n_cells={cells}]"]
protocols = {protocols}
"""
PARTS = {"worker.worker": "worker", "scoring.scorer": "scorer", "bin/impbench run": "runner"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--imputers", nargs="+", default=["maskclass-best[epochs=2]"])
    parser.add_argument("--protocols", nargs="+", default=["simulated-truth", "clustering"])
    parser.add_argument("--jobs", default="1")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        suite = Path(folder) / "big.toml"
        names = {"imputers": options.imputers, "protocols": options.protocols}
        text = {key: json.dumps(value) for key, value in names.items()}
        suite.write_text(SUITE.format(cells=options.cells, **text))
        command = [str(Path(sys.executable).with_name("impbench")), "run", "--suite", str(suite)]
        command += ["--jobs", options.jobs, "--timeout", "4h", "--out", str(Path(folder) / "out")]
        start = time.perf_counter()
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        peaks, pids = watch(process)
        said = process.stderr.read()
        if process.returncode:
            raise SystemExit(said)
        print(said)
        print(f"{options.cells} cells, {time.perf_counter() - start:.0f} s in all")
        for part, peak in peaks.items():
            print(f"{part:8} peak {peak / 1e9:.2f} GB in the largest of {pids[part]}")
        table = pd.read_parquet(Path(folder) / "out" / "results.parquet")
        cost = table[table["metric"].isin(["wall-seconds", "peak-memory"])]
        print(cost.pivot_table(index="imputer", columns="metric", values="value").to_string())
        failed = table[table["status"] != "ok"].drop_duplicates("key")
        for row in failed.itertuples():
            print(f"{row.imputer}, {row.protocol}: {row.status}: {row.reason}")


def watch(process: subprocess.Popen[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Return the largest peak by part of the run, and how many processes had that part."""
    peaks: dict[int, tuple[str, int]] = {}
    root = psutil.Process(process.pid)
    while process.poll() is None:
        for item in [root, *root.children(recursive=True)]:
            try:
                status = Path(f"/proc/{item.pid}/status").read_text().splitlines()
                peak = next(line for line in status if line.startswith("VmHWM:"))
                text = " ".join(item.cmdline())
            except (OSError, StopIteration, psutil.Error):
                continue
            part = next((part for key, part in PARTS.items() if key in text), "other")
            peaks[item.pid] = part, int(peak.split()[1]) * 1024
        time.sleep(0.05)
    largest: dict[str, int] = {}
    for part, peak in peaks.values():
        largest[part] = max(largest.get(part, 0), peak)
    return largest, {part: sum(p == part for p, _ in peaks.values()) for part in largest}


if __name__ == "__main__":
    main()
