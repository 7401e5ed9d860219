"""A whole gene set through `impbench run`: the peak memory of every process, and each job's cost.

Run ``python benchmarks/whole_genes.py [--cells 10000] [--genes 20000] [--imputers NAMES]``. A file
is drawn with a fixed seed: negative-binomial counts of six types, a twelfth above zero. All genes
are kept (``--genes 0``), and thinning, masking and clustering are asked, one seed, one job at a
time on one thread. Linux only.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
from big_data import watch

from impbench.results.store import Store

TYPES = 6
IMPUTERS = "alra,magic,maskclass-best,knn-smoothing"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--imputers", default=IMPUTERS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / "whole.h5ad", Path(folder) / "out"
        share = write_counts(file, options.cells, options.genes)
        print(f"{options.cells} cells × {options.genes} genes, {share:.1%} above zero", flush=True)
        words = f"run --data {file} --genes 0 --label-key cell_type --imputers {options.imputers}"
        words += " --protocols thinning,masking,clustering --seeds 1 --no-report --jobs 1"
        words += f" --threads 1 --timeout 2h --out {out}"
        start = time.perf_counter()
        command = [str(Path(sys.executable).with_name("impbench")), *words.split()]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        peaks, pids = watch(process)
        print(f"status {process.returncode}, {time.perf_counter() - start:.0f} s in all")
        for part, peak in peaks.items():
            print(f"{part:8} peak {peak / 2**30:.2f} GiB in the largest of {pids[part]}")
        for record in Store.open(out).read().records:
            cost, job = record.cost, record.job
            spent = (
                "no process of its own"
                if cost is None
                else (f"{cost.cpu_seconds:.0f} s of CPU, {cost.peak_memory / 2**30:.2f} GiB")
            )
            print(f"{job.imputer}, {job.protocol}: {record.status}, {spent} {record.reason}")


def write_counts(file: Path, n_cells: int, n_genes: int) -> float:
    """Draw counts of `TYPES` types and write them with their labels; return the share above 0."""
    draw = np.random.default_rng(7)
    types = draw.integers(TYPES, size=n_cells)
    base = draw.lognormal(-3.6, 1.9, size=n_genes)
    fold = np.where(draw.random((TYPES, n_genes)) < 0.1, draw.lognormal(size=(TYPES, n_genes)), 1)
    depth = draw.lognormal(0, 0.3, size=n_cells)
    blocks = []
    for at in range(0, n_cells, 500):
        cells = slice(at, at + 500)
        mean = depth[cells, None] * (base * fold)[types[cells]]
        counts = draw.poisson(mean * draw.gamma(2.0, 0.5, mean.shape))
        blocks.append(sp.csr_matrix(counts.astype(np.float32)))
    matrix = sp.csr_matrix(sp.vstack(blocks, format="csr"))
    obs = pd.DataFrame({"cell_type": pd.Categorical([f"type {i}" for i in types])})
    obs.index = [f"cell{i}" for i in range(n_cells)]
    var = pd.DataFrame(index=[f"gene{i}" for i in range(n_genes)])
    ad.AnnData(matrix, obs, var).write_h5ad(file)
    return matrix.nnz / (n_cells * n_genes)


if __name__ == "__main__":
    main()
