"""kNN-smoothing: our fast steps against a plain version of the published ones; or cost at scale.

Run ``python benchmarks/parity_knn_smoothing.py FOLDER``, where FOLDER holds ``inputs`` and
``splat``; the original's output was not recorded. ``--cells N`` instead measures time and peak
memory on N simulated cells.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import anndata
import numpy as np
from impbench_plugins.knn_smoothing import KnnSmoothing
from impbench_plugins.knn_smoothing.smoothing import nearest_cells

import impbench
from impbench import Context, Observed

K, D = 32, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--cells", type=int)
    arguments = parser.parse_args()
    KnnSmoothing().prepare(Context())
    if arguments.cells:
        scale(arguments.cells)
    elif arguments.folder:
        print("| input | step | plain (sd) | ours (sd) | difference |\n|---|---|---|---|---|")
        for name in ("inputs/small_batch", "inputs/small_rare", "splat/sim_rare_500"):
            compare(arguments.folder / f"{name}.h5ad")
    else:
        parser.error("give the folder or --cells")


def compare(path: Path) -> None:
    cells = anndata.read_h5ad(path)
    observed = Observed.from_counts(cells.X)
    counts, truth = observed.dense_counts, cells.layers["true_counts"].toarray()
    true = Observed.from_counts(truth).lognorm
    rows: list[list[list[float]]] = [[], [], []]
    shared, plain_shared = [], []
    for seed in (1, 2, 3):
        theirs, own = plain(counts, seed), nearest_cells(counts, K, D, seed=seed)
        shared.append(agreement(theirs, own))
        plain_shared.append(agreement(theirs, plain(counts, seed + 100)))
        rows[0].append(splits(counts[theirs].mean(axis=1), observed, truth, true))
        for row, library in zip(rows[1:], ("neighbours", "own"), strict=True):
            imputed = KnnSmoothing(library=library).impute(observed, Context(seed=seed))
            row.append(splits(imputed.expression, observed, truth, true))
    name = path.stem
    print(
        f"| {name} | same neighbours | {np.mean(plain_shared):.1%} (other seeds) "
        f"| {np.mean(shared):.1%} | |"
    )
    for column, step in enumerate(("mse", "dropout-mse", "biozero-mse")):
        was, is_, scaled = (np.array(row)[:, column] for row in rows)
        print(
            f"| {name} | {step} | {was.mean():.3f} ({was.std(ddof=1):.3f}) "
            f"| {is_.mean():.3f} ({is_.std(ddof=1):.3f}) | {is_.mean() / was.mean() - 1:+.1%} |"
        )
        print(
            f"| {name} | {step}, library=own | | {scaled.mean():.3f} ({scaled.std(ddof=1):.3f}) | |"
        )


def plain(counts: np.ndarray, seed: int) -> np.ndarray:
    """Neighbours by the published steps: full SVD, all distances, noise of its own."""
    rng = np.random.default_rng(seed)
    neighbours = np.arange(len(counts))[:, None]
    for t in range(1, int(np.ceil(np.log2(K + 1))) + 1):
        smoothed = counts[neighbours].sum(axis=1).astype(float)
        sizes = smoothed.sum(axis=1, keepdims=True)
        scaled = smoothed / sizes * np.median(sizes)
        transformed = np.sqrt(scaled) + np.sqrt(scaled + 1)
        transformed -= transformed.mean(axis=0)
        left, singular, _ = np.linalg.svd(transformed, full_matrices=False)
        points = (left * singular)[:, :D]
        points += (rng.random(points.shape) - 0.5) * 0.03 * np.ptp(points, axis=0)
        distances = np.linalg.norm(points[:, None] - points[None], axis=2)
        neighbours = np.argsort(distances, axis=1)[:, : min(2**t - 1, K) + 1]
    return neighbours


def agreement(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.mean([len(set(x) & set(y)) - 1 for x, y in zip(a, b, strict=True)]) / K)


def splits(imputed, observed, truth, true):  # type: ignore[no-untyped-def]
    """MSE overall, at dropouts and at biological zeros, by the observed size factors."""
    error = (Observed.from_counts(imputed, observed.size_factors).lognorm - true) ** 2
    dropout = (observed.dense_counts == 0) & (truth > 0)
    return [error.mean(), error[dropout].mean(), error[truth == 0].mean()]


def scale(n_cells: int) -> None:
    cells = impbench.simulate("sim_equal", n_cells=n_cells, seed=42)
    observed = Observed.from_counts(cells.X)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    start, cpu = time.perf_counter(), time.process_time()
    KnnSmoothing().impute(observed, Context())
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    matrix, square = 4 * n_cells * observed.n_genes / 2**30, 4 * n_cells**2 / 2**30
    print(
        f"{n_cells} x {observed.n_genes}: {seconds:.1f} s, {cpu:.1f} s of CPU; peak "
        f"{after:.2f} GB, {before:.2f} GB before; the matrix as float32 is {matrix:.2f} GB, an "
        f"N x N float32 matrix would be {square:.1f} GB"
    )


if __name__ == "__main__":
    main()
