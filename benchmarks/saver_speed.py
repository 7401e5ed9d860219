"""SAVER's processor seconds, this build and another in turns, beside R's and the least it takes.

Run ``python benchmarks/saver_speed.py REFERENCE [NAME ...] --before PYTHON``: PYTHON is that of an
environment with the other build, and the folder REFERENCE holds the raw counts, cells × genes, as
``inputs/NAME.h5ad`` or ``splat/NAME.h5ad``, and the original's seconds in ``saver/NAME.json``. The
floor is what starts the regressions: of each gene that is regressed, and five times more of the
200 that are cross-validated, one product with all predictors.

With ``--cells 1000 2000 --genes 2000 --threads 2`` it times that many cells and genes of `sim_rare`
instead, seed 42: seconds, memory at peak, and how the processor seconds grow.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.update({f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")})

import anndata
import numpy as np
from impbench_plugins.saver import Saver

import impbench
from impbench import Context, Observed

CROSS_VALIDATED, FOLDS = 200, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reference", type=Path, nargs="?")
    parser.add_argument("names", nargs="*", default=["sim_rare_500"])
    parser.add_argument("--before", help="Python of the other build")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cells", type=int, nargs="+")
    parser.add_argument("--genes", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--once", type=Path, nargs=2, help="impute a file, write the result")
    given = parser.parse_args()
    if given.once:
        print(json.dumps(once(*given.once, given.threads)))
    elif given.cells:
        grow(given.cells, given.genes, given.threads)
    else:
        for name in given.names:
            compare(given.reference, name, given.before, given.rounds)


def compare(reference: Path, name: str, before: str | None, rounds: int) -> None:
    found = [reference / folder / f"{name}.h5ad" for folder in ("inputs", "splat")]
    path = next(path for path in found if path.exists())
    told = json.loads((reference / "saver" / f"{name}.json").read_text())["seconds"]
    theirs = min(entry["seconds"] for entry in told if entry["what"] == "saver")
    pythons = [before, sys.executable] if before else [sys.executable]
    seconds: list[list[float]] = [[] for _ in pythons]
    results: list[np.ndarray] = []
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.npy"
        for _ in range(rounds):
            for python, taken in zip(pythons, seconds, strict=True):
                taken.append(apart(python, path, result, 1)["cpu"])
                results.append(np.load(result))
    ours = min(seconds[-1])
    print(f"{name}: floor {floor(path):.2f} s, R {theirs:.1f} s, ours {ours:.2f} s ", end="")
    print(f"of {np.round(seconds[-1], 2)}, {theirs / ours:.1f} × R", end="")
    if before:
        same = all(np.array_equal(results[0], other) for other in results[1:])
        print(f"; before {min(seconds[0]):.2f} s of {np.round(seconds[0], 2)}, ", end="")
        print(f"ratio {min(seconds[0]) / ours:.2f}, ", end="")
        print("the same bits" if same else "DIFFERENT results", end="")
    print(flush=True)


def grow(cells: list[int], n_genes: int, threads: int) -> None:
    last: tuple[int, float] | None = None
    for n_cells in cells:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "cells.h5ad"
            simulated = impbench.simulate("sim_rare", n_cells=n_cells, n_genes=n_genes, seed=42)
            simulated.write_h5ad(path)
            taken = apart(sys.executable, path, Path(folder) / "result.npy", threads)
        print(f"{n_cells} cells × {simulated.n_vars} genes, {threads} threads: ", end="")
        print(f"wall {taken['wall']:.1f} s, CPU {taken['cpu']:.1f} s, ", end="")
        print(f"peak {taken['peak']:.0f} MB", end="")
        if last:
            exponent = math.log(taken["cpu"] / last[1]) / math.log(n_cells / last[0])
            print(f"; CPU grows as N^{exponent:.2f}", end="")
        print(flush=True)
        last = n_cells, taken["cpu"]


def apart(python: str, path: Path, result: Path, threads: int) -> dict[str, float]:
    command = [python, __file__, "--once", str(path), str(result), "--threads", str(threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    taken: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return taken


def once(path: Path, result: Path, threads: int) -> dict[str, float]:
    observed = Observed.from_counts(anndata.read_h5ad(path).X)
    Saver().prepare(Context())
    wall, cpu = time.perf_counter(), time.process_time()
    imputed = Saver().impute(observed, Context(seed=1, threads=threads))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    np.save(result, np.stack((imputed.expression, imputed.std)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"wall": wall, "cpu": cpu, "peak": peak}


def floor(path: Path) -> float:
    counts = np.asarray(Observed.from_counts(anndata.read_h5ad(path).X).dense_counts.T, np.float64)
    predictors = np.ascontiguousarray(np.log1p(counts[counts.mean(axis=1) >= 0.1]))
    start = time.process_time()
    for _ in range(len(counts) + CROSS_VALIDATED * FOLDS):
        predictors @ counts[0]
    return time.process_time() - start


if __name__ == "__main__":
    main()
