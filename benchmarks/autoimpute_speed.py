"""AutoImpute's seconds per step beside those of its matrix products alone, on one core.

Run ``python benchmarks/autoimpute_speed.py FILE.h5ad ...``; counts are in X. A step is five
products of (cells, genes, hidden units): the output of both layers and three of the gradient.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import anndata
import numpy as np
from impbench_plugins.autoimpute import AutoImpute
from threadpoolctl import threadpool_limits

from impbench import Context, Observed

STEPS, PUBLISHED_STEPS, HIDDEN, ROUNDS = 20, 7000, 2000, 3


def main() -> None:
    AutoImpute().prepare(Context())
    print("| data | cells × genes | products, ms | step, ms | ratio | 7000 steps, s |")
    print("|---|---|---|---|---|---|")
    for path in map(Path, sys.argv[1:]):
        observed = Observed.from_counts(anndata.read_h5ad(path).X)
        # Alternately, and the best of each, because other work disturbs single rounds.
        pairs = [(products(*observed.lognorm.shape), step(observed)) for _ in range(ROUNDS)]
        floor, measured = np.min(pairs, axis=0)
        print(
            f"| {path.stem} | {observed.n_cells} × {observed.n_genes} | {1e3 * floor:.0f} "
            f"| {1e3 * measured:.0f} | {measured / floor:.1f} | {PUBLISHED_STEPS * measured:.0f} |"
        )


def step(observed: Observed) -> float:
    """Seconds of one step, with its share of drawing the weights left out."""
    seconds = []
    for steps in (1, STEPS + 1):
        start = time.perf_counter()
        AutoImpute(steps=steps).impute(observed, Context())
        seconds.append(time.perf_counter() - start)
    return (seconds[1] - seconds[0]) / STEPS


def products(n_cells: int, n_genes: int) -> float:
    """Seconds of one step's matrix products."""
    rng = np.random.default_rng(0)
    shapes = ((n_cells, n_genes), (n_genes, HIDDEN), (n_cells, HIDDEN), (HIDDEN, n_genes))
    x, encoder, hidden, decoder = (rng.random(shape, dtype=np.float32) for shape in shapes)
    start = time.perf_counter()
    for _ in range(STEPS):
        x @ encoder
        hidden @ decoder
        hidden.T @ x
        x @ decoder.T
        x.T @ hidden
    return (time.perf_counter() - start) / STEPS


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
