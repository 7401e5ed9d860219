"""Peak memory and time of `impbench impute` on a file of, by default, 10 000 cells × 20 000 genes.

    python benchmarks/impute_memory.py [--method alra] [--cells 10000] [--genes 20000] [--dense]

The file is drawn from a seeded generator: eight groups of cells, a tenth of the values not zero.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anndata
import numpy as np
import scipy.sparse as sp

GROUPS = 8


def draw(n_cells: int, n_genes: int) -> sp.csr_matrix:
    rng = np.random.default_rng(16)
    profiles = rng.gamma(0.25, 0.6, n_genes) * rng.gamma(2.0, 0.5, (GROUPS, n_genes))
    blocks = []
    for start in range(0, n_cells, 500):
        n = min(500, n_cells - start)
        depth = rng.lognormal(0, 0.4, (n, 1))
        rate = profiles[rng.integers(GROUPS, size=n)] * depth
        blocks.append(sp.csr_matrix(rng.poisson(rate).astype(np.float32)))
    return sp.csr_matrix(sp.vstack(blocks, format="csr"))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--method", default="alra")
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--dense", action="store_true", help="store X dense")
    options, more = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "in.h5ad"
        counts = draw(options.cells, options.genes)
        share = counts.nnz / (options.cells * options.genes)
        data = anndata.AnnData(counts.toarray() if options.dense else counts)
        data.write_h5ad(path, compression="gzip")
        del counts, data
        print(f"{path.stat().st_size / 1e6:.0f} MB, {share:.1%} of the values not zero", flush=True)
        start = time.monotonic()
        command = ["impute", str(path), "-m", options.method, "-o", f"{folder}/out.h5ad", *more]
        subprocess.run([str(Path(sys.executable).with_name("impbench")), *command], check=True)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        size = (Path(folder) / "out.h5ad").stat().st_size
        seconds = time.monotonic() - start
        print(f"peak {peak / 1e9:.2f} GB, {seconds:.0f} s, {size / 1e6:.0f} MB written")


if __name__ == "__main__":
    main()
