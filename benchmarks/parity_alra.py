"""Our ALRA against the original's stored output, seed by seed; or time and memory at scale.

Run ``python benchmarks/parity_alra.py REFERENCE``, where REFERENCE holds ``inputs``, ``splat`` and
``alra`` (the original's rank, ``k_seedN``, and output on ln(1 + 10⁴ count / library size),
``estimate_seedN``). ``--cells N`` instead measures time and peak memory on N simulated cells.
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
from impbench_plugins.alra import Alra

import impbench
from impbench import Context, Observed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path, nargs="?")
    parser.add_argument("--cells", type=int)
    arguments = parser.parse_args()
    Alra().prepare(Context())
    if arguments.cells:
        scale(arguments.cells)
    elif arguments.reference:
        print("| input | seed | step | original | ours | difference |\n|---|---|---|---|---|---|")
        for path in sorted((arguments.reference / "alra").glob("*.npz")):
            compare(arguments.reference, path)
    else:
        parser.error("give the reference folder or --cells")


def compare(reference: Path, path: Path) -> None:
    folder = "inputs" if path.stem.startswith("small") else "splat"
    cells = anndata.read_h5ad(reference / folder / f"{path.stem}.h5ad")
    observed = Observed.from_counts(cells.X)
    truth = Observed.from_counts(cells.layers["true_counts"].toarray()).lognorm
    sizes = observed.dense_counts.sum(axis=1, keepdims=True)
    original = np.load(path)
    for seed in (1, 2, 3):
        if f"k_seed{seed}" not in original:
            continue
        k, estimate = int(original[f"k_seed{seed}"].item()), original[f"estimate_seed{seed}"]
        start = time.perf_counter()
        imputed = Alra().impute(observed, Context(seed=seed))
        seconds = time.perf_counter() - start
        largest = np.abs(np.log1p(1e4 * imputed.expression / sizes) - estimate).max()
        given = Alra(k=k).impute(observed, Context(seed=seed + 100))
        other = np.log1p(1e4 * given.expression / sizes) - estimate
        theirs = np.expm1(estimate.astype(np.float64)) * sizes / 1e4
        errors = [
            float(np.mean((Observed.from_counts(c, observed.size_factors).lognorm - truth) ** 2))
            for c in (theirs, imputed.expression)
        ]
        row = f"| {path.stem} | {seed} |"
        print(f"{row} rank k | {k} | {imputed.info['k']} | {imputed.info['k'] - k} |")
        print(f"{row} values, same seed | | | at most {largest:.1e} |")
        print(f"{row} values, same k, other seed | | | median {np.median(np.abs(other)):.1e} |")
        print(f"{row} mse | {errors[0]:.4f} | {errors[1]:.4f} | {errors[1] / errors[0] - 1:+.2%} |")
        print(f"{row} seconds | not recorded | {seconds:.2f} | |")


def scale(n_cells: int) -> None:
    cells = impbench.simulate("sim_equal", n_cells=n_cells, seed=42)
    observed = Observed.from_counts(cells.X)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    start, cpu = time.perf_counter(), time.process_time()
    imputed = Alra().impute(observed, Context())
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{n_cells} x {observed.n_genes}: {seconds:.1f} s, {cpu:.1f} s of CPU, "
        f"k = {imputed.info['k']}; peak {after:.2f} GB, {before:.2f} GB before; "
        f"the matrix as float64 is {8 * n_cells * observed.n_genes / 2**30:.2f} GB"
    )


if __name__ == "__main__":
    main()
