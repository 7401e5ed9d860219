"""An imputer's processor seconds in this build and in another, in turns, on one thread.

Run ``python benchmarks/two_builds.py IMPUTER --before PYTHON [--dataset D] [--rounds 2]``, where
PYTHON is that of an environment with the other build, IMPUTER is such as ``dca[epochs=50]`` and D a
data set (default: 2 000 simulated cells). Both are given the same counts and seed; compiling comes
before the clock starts. It prints the seconds of each round, the ratio of the least, and how far
the two results are apart, relative to the first (Frobenius).
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

import numpy as np
import scipy.sparse as sp

import impbench
from impbench.registry import registry


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("imputer")
    parser.add_argument("--before", help="Python of the other build")
    parser.add_argument("--dataset", default="sim_rare[n_cells=2000]")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--once", type=Path, help="impute the counts in this folder, no more")
    options = parser.parse_args()
    if options.once:
        once(options.imputer, options.once, options.seed)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        counts = sp.csr_matrix(registry().dataset(options.dataset).load().counts)
        sp.save_npz(folder / "counts.npz", counts)
        filled = counts.nnz / np.prod(counts.shape)
        print(f"{options.dataset}: {counts.shape[0]} × {counts.shape[1]}, {filled:.1%} above zero")
        in_turns(options, folder)


def in_turns(options: argparse.Namespace, folder: Path) -> None:
    """Print the seconds of every round, their ratio and the distance of the results."""
    builds = {"before": options.before} if options.before else {}
    spent: dict[str, list[float]] = {}
    results = {}
    for _ in range(options.rounds):
        for build, python in {**builds, "now": sys.executable}.items():
            given = [options.imputer, "--once", str(folder), "--seed", str(options.seed)]
            command = [python, __file__, *given]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            seconds, peak = map(float, done.stdout.split()[-2:])
            spent.setdefault(build, []).append(seconds)
            print(f"{build}: {seconds:.2f} s, peak {peak:.2f} GB", flush=True)
            results[build] = np.load(folder / "result.npy")
    if builds:
        before, now = results["before"], results["now"]
        apart = np.linalg.norm(now - before) / np.linalg.norm(before)
        same = "the same bits" if np.array_equal(before, now) else f"{apart:.2g} apart"
        ratio = min(spent["before"]) / min(spent["now"])
        print(f"{options.imputer}: before / now {ratio:.2f}, {same}")


def once(imputer: str, folder: Path, seed: int) -> None:
    """Impute, keep the result in `folder`, and print seconds and peak."""
    import resource

    counts = sp.load_npz(folder / "counts.npz")
    observed = impbench.Observed.from_counts(counts)
    method = impbench.get_imputer(imputer)
    context = impbench.Context(seed=seed, threads=1)
    method.prepare(context)
    start = time.process_time()
    values = method.impute(observed, context).expression
    seconds = time.process_time() - start
    np.save(folder / "result.npy", values)
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)


if __name__ == "__main__":
    main()
