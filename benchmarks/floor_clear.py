"""CLEAR's processor time beside that of its matrix products alone, on one core.

Run ``python benchmarks/floor_clear.py FILE.h5ad ...``; counts are in X, cells fewer than 512. A
step is nine products: both layers of both encoders, the similarities, and four of the gradient.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import anndata
import numpy as np
from impbench_plugins.clear import Clear

from impbench import Context, Observed

ROUNDS, STEPS, HIDDEN, COORDINATES = 3, 100, 1024, 128


def main() -> None:
    Clear().prepare(Context())
    print(
        "| data | cells × genes | floor, CPU s | measured, CPU s | ratio |\n|---|---|---|---|---|"
    )
    for path in map(Path, sys.argv[1:]):
        observed = Observed.from_counts(anndata.read_h5ad(path).X)
        # Alternately, and the best of each, because other work disturbs single rounds.
        pairs = []
        for seed in range(ROUNDS):
            began = time.process_time()
            info = Clear().impute(observed, Context(seed=seed)).info
            ours = time.process_time() - began
            pairs.append((floor(observed.n_cells, info["genes_seen"]), ours))
        least, ours = np.min(pairs, axis=0)
        print(
            f"| {path.stem} | {observed.n_cells} × {info['genes_seen']} | {least:.2f} | {ours:.2f} "
            f"| {ours / least:.1f} |"
        )


def floor(n: int, n_genes: int) -> float:
    rng = np.random.default_rng(0)
    x, hidden, z, first, second, queue = (
        rng.random(shape, dtype=np.float32)
        for shape in (
            (n, n_genes), (n, HIDDEN), (n, COORDINATES), (n_genes, HIDDEN), (HIDDEN, COORDINATES),
            (COORDINATES, n),
        )
    )  # fmt: skip
    began = time.process_time()
    for _ in range(STEPS):
        for _encoder in range(2):
            x @ first
            hidden @ second
        similar = z @ queue
        similar @ queue.T
        hidden.T @ z
        z @ second.T
        x.T @ hidden
    return time.process_time() - began


if __name__ == "__main__":
    main()
