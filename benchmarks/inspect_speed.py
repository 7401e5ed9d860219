"""Seconds that `impbench inspect` takes for files of about 80 MB, however they are stored.

    python benchmarks/inspect_speed.py

Wall clock and CPU of the whole command, the start of Python included.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anndata
import numpy as np
import scipy.sparse as sp

CELLS, GENES = 9_000, 10_000


def draw() -> sp.csr_matrix:
    rng = np.random.default_rng(16)
    mean = rng.gamma(0.25, 0.6, GENES)
    blocks = [
        sp.csr_matrix(rng.poisson(mean * rng.lognormal(0, 0.4, (500, 1))).astype(np.float32))
        for _ in range(CELLS // 500)
    ]
    return sp.csr_matrix(sp.vstack(blocks, format="csr"))


def logs(counts: sp.csr_matrix) -> sp.csr_matrix:
    values = sp.csr_matrix(sp.diags(1e4 / counts.sum(axis=1).A1) @ counts)
    values.data = np.log1p(values.data).astype(np.float32)
    return values


def main() -> None:
    counts = draw()
    both = anndata.AnnData(logs(counts), layers={"counts": counts})
    files = {
        "by cell": (anndata.AnnData(counts), {}),
        "by gene": (anndata.AnnData(counts.tocsc()), {}),
        "by cell, logs and counts, gzip": (both, {"compression": "gzip"}),
        "by gene, gzip": (anndata.AnnData(counts.tocsc()), {"compression": "gzip"}),
        "dense, logs": (anndata.AnnData(logs(counts)[:2000].toarray()), {}),
        "dense, logs, gzip": (anndata.AnnData(logs(counts).toarray()), {"compression": "gzip"}),
    }
    impbench = str(Path(sys.executable).with_name("impbench"))
    with tempfile.TemporaryDirectory() as folder:
        for name, (data, keywords) in files.items():
            path = Path(folder) / "in.h5ad"
            data.write_h5ad(path, **keywords)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            start = time.monotonic()
            subprocess.run([impbench, "inspect", str(path)], check=True, capture_output=True)
            seconds = time.monotonic() - start
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            size = path.stat().st_size / 1e6
            print(f"{name}: {size:.0f} MB, {seconds:.2f} s ({cpu:.2f} s of CPU)", flush=True)


if __name__ == "__main__":
    main()
