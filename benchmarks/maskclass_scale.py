"""MaskClass from 1 000 to 100 000 cells: does its time grow linearly, and how much memory it takes.

Run ``python benchmarks/maskclass_scale.py [--cells 1000 ... 100000] [--epochs 10]``. Each size runs
in a process of its own, which reads sparse counts from disk as a worker of `impbench run` does, and
imputes on one thread. The peak is that of the whole process, interpreter and libraries included.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp

CELLS = [1_000, 3_000, 10_000, 30_000, 100_000]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=CELLS)
    parser.add_argument("--genes", type=int, default=1100)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(impute(Path(arguments.child[0]), arguments.child[1], arguments.epochs)))
        return
    print("variant      cells   seconds  us per cell and epoch   peak GB")
    for variant in ("maskclass-best", "maskclass-balanced"):
        measured = []
        for n_cells in arguments.cells:
            with tempfile.TemporaryDirectory() as folder:
                sp.save_npz(Path(folder) / "counts.npz", simulated(n_cells, arguments.genes))
                command = [sys.executable, __file__, "--epochs", str(arguments.epochs)]
                command += ["--child", folder, variant]
                result = json.loads(subprocess.run(command, check=True, stdout=-1).stdout)
            measured.append((n_cells, result["seconds"]))
            rate = 1e6 * result["seconds"] / n_cells / arguments.epochs
            name = variant.removeprefix("maskclass-")
            row = f"{name:9}{n_cells:9}{result['seconds']:10.2f}{rate:24.1f}"
            print(f"{row}{result['peak'] / 1e9:10.2f}", flush=True)
        slope = np.polyfit(*np.log(np.array(measured)).T, 1)[0]
        print(f"{variant}: seconds grow with cells to the power {slope:.2f}", flush=True)


def impute(folder: Path, imputer: str, epochs: int) -> dict[str, float]:
    import impbench

    counts = sp.load_npz(folder / "counts.npz")
    method = impbench.get_imputer(f"{imputer}[epochs={epochs}]")
    context = impbench.Context(seed=1, threads=1)
    method.prepare(context)
    observed = impbench.Observed.from_counts(counts)
    start = time.perf_counter()
    imputed = method.impute(observed, context)
    seconds = time.perf_counter() - start
    assert np.isfinite(imputed.expression[-1]).all()
    status = Path("/proc/self/status").read_text().splitlines()
    peak = int(next(line for line in status if line.startswith("VmHWM:")).split()[1]) * 1024
    return {"seconds": seconds, "peak": peak}


def simulated(n_cells: int, n_genes: int) -> sp.csr_matrix:
    """Draw counts by the model of benchmarks/maskclass_cpu.py, about 60 % zeros."""
    rng = np.random.default_rng(0)
    mean = rng.gamma(0.6, 30, n_genes)
    blocks = []
    for cells in np.array_split(np.arange(n_cells), math.ceil(n_cells / 1000)):
        true = rng.poisson(mean * rng.gamma(5, 0.2, (len(cells), n_genes)))
        kept = rng.random(true.shape) > 1 / (1 + np.exp(np.log(mean + 1e-9) - 2.5))
        blocks.append(sp.csr_matrix((true * kept).astype(np.int32)))
    return sp.vstack(blocks, format="csr")


if __name__ == "__main__":
    main()
