"""DrImpute's processor seconds, this build and another in turns, beside the least it could take.

Run ``python benchmarks/drimpute_speed.py FILE.h5ad ... --before PYTHON``, where PYTHON is that of
an environment with the other build; counts are in X, of which the 1 000 genes that vary most in
log counts are used. The floor is what every form of the method needs: the distances' components,
and for each start of k-means one product, in single precision, of the cells and the first centres.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.update({f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")})

import anndata
import numpy as np
from impbench_plugins.drimpute import DrImpute
from impbench_plugins.drimpute.clusterings import unit_ranks, unit_values
from impbench_plugins.shared.distance_components import distance_components

from impbench import Context, Observed

GENES = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--before", help="Python of the other build")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--starts", type=int, default=1000, help="of k-means; default 1000")
    parser.add_argument("--result", type=Path, help="impute once, write here and print the seconds")
    given = parser.parse_args()
    if given.result:
        print(impute(given.files[0], given.starts, given.seeds[0], given.result))
        return
    for path in given.files:
        for seed in given.seeds:
            compare(path, given.starts, seed, given.before)


def compare(path: Path, starts: int, seed: int, before: str | None) -> None:
    lognorm = load(path).lognorm
    bound = floor(lognorm, starts)
    with tempfile.TemporaryDirectory() as folder:
        seconds, results = [], []
        for python in (sys.executable, before):
            if python:
                result = Path(folder) / "result.npy"
                once = ["--starts", str(starts), "--seeds", str(seed), "--result", str(result)]
                command = [python, __file__, str(path), *once]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                seconds.append(float(done.stdout.split()[-1]))
                results.append(np.load(result))
    n_cells, n_genes = lognorm.shape
    shape = f"{path.stem}, {n_cells} cells × {n_genes} genes, {starts} starts, seed {seed}"
    print(f"{shape}: floor {bound:.1f} s, ours {seconds[0]:.1f} s", end="")
    if before:
        same = "the same bits" if np.array_equal(*results) else "DIFFERENT results"
        print(f", before {seconds[1]:.1f} s, ratio {seconds[1] / seconds[0]:.2f}, {same}", end="")
    print(flush=True)


def impute(path: Path, starts: int, seed: int, result: Path) -> float:
    observed = load(path)
    imputer = DrImpute(n_starts=starts)
    imputer.prepare(Context())
    start = time.process_time()
    expression = imputer.impute(observed, Context(seed=seed)).expression
    seconds = time.process_time() - start
    np.save(result, expression)
    return seconds


def load(path: Path) -> Observed:
    counts = anndata.read_h5ad(path).X
    observed = Observed.from_counts(counts)
    if observed.n_genes <= GENES:
        return observed
    varying = np.argsort(-observed.lognorm.var(axis=0), kind="stable")[:GENES]
    return Observed.from_counts(counts[:, np.sort(varying)])


def floor(lognorm: np.ndarray, starts: int) -> float:
    n_dims = max(1, round(DrImpute().share * len(lognorm)))
    start = time.process_time()
    for unit_rows in (unit_ranks, unit_values):
        points = distance_components(lognorm, unit_rows, 0.0, n_dims).loadings.astype(np.float32)
        for k in DrImpute().ks:
            for _ in range(starts):
                points @ points[:k].T
    return time.process_time() - start


if __name__ == "__main__":
    main()
