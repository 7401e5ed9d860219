"""Our LTMG: its mixtures against R's mixtools, what it finds on counts, and states that are known.

Run ``python benchmarks/parity_ltmg.py REFERENCE``, where REFERENCE holds ``inputs``. R is asked
where ``--rscript`` has mixtools (Debian: r-cran-mixtools). Seconds are of the processor.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import anndata
import numpy as np
from impbench_plugins.scgnn.genes import choose
from impbench_plugins.scgnn.ltmg import NOISE, SEED, ExpressionStates, find_states
from impbench_plugins.scgnn.normal_mixture import fit_normal_mixture
from impbench_plugins.shared.r_random import Draws
from numpy.typing import NDArray

from impbench import Observed

INPUTS = ("small_rare", "small_celseq2", "small_batch")
Floats = NDArray[np.float64]

MIXTOOLS = """
suppressMessages(library(mixtools)); options(digits = 17)
x <- scan(commandArgs(TRUE)[1], quiet = TRUE); set.seed({seed})
y <- log(x + rnorm(length(x), 0, {noise}))
invisible(capture.output(f <- normalmixEM(y, k = {k})))
cat(f$lambda, f$mu, f$sigma, runif(1))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--inputs", nargs="+", default=INPUTS)
    parser.add_argument("--rscript", default="Rscript")
    options = parser.parse_args()
    for repaired in (False, True):
        find_states(np.ones((9, 9)) + np.eye(9), repaired)  # Compiles.
    for name in options.inputs:
        observed = Observed.from_counts(
            anndata.read_h5ad(options.reference / "inputs" / f"{name}.h5ad").X
        )
        seen = choose(observed, 2000)
        counts = observed.dense_counts[np.ix_(seen.cells, seen.genes)].astype(np.float64)
        values = np.log1p(counts)
        print(f"{name}: {values.shape[0]} × {values.shape[1]}")
        against_mixtools(values, options.rscript)
        for repaired in (False, True):
            tell(values, repaired)
    known()


def against_mixtools(values: Floats, rscript: str) -> None:
    smallest = np.where(values > 0, values, np.inf).min(axis=0)
    widest = values[:, -1]
    samples = {"genes' smallest": (smallest, 2), "a gene's, 3": (widest[widest > 0], 3)}
    for what, (x, k) in samples.items():
        draws = Draws(SEED)
        fit = fit_normal_mixture(np.log(x + NOISE * draws.normals(len(x))), k, draws)
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            np.savetxt(file.name, x, fmt="%.17g")
            code = MIXTOOLS.format(seed=SEED, noise=NOISE, k=k)
            command = [rscript, "-e", code, file.name]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or fit is None:
            print(f"  mixtools: {done.stderr.strip().splitlines()[-1:]}; ours: {fit}")
            return
        theirs = np.array(done.stdout.split(), dtype=float)
        ours = np.concatenate([fit.proportions, fit.means, fit.sds, draws.uniforms(1)])
        apart = np.abs(ours / theirs - 1).max()
        print(
            f"  mixtools, {what} values: {len(x)} values, largest relative difference {apart:.1e}"
        )


def tell(values: Floats, repaired: bool) -> ExpressionStates:
    start = time.process_time()
    found = find_states(values, repaired)
    seconds = time.process_time() - start
    print(
        f"  {'repaired' if repaired else 'published'}: limit {found.limit:.5f}, genes with "
        f"0, 1, 2, … states {np.bincount(found.n_states).tolist()}; {seconds:.2f} s"
    )
    ones = values == np.log(2)
    if ones.any():
        above, larger = found.states > 0, values > np.log(2)
        print(
            f"    state above 0 in {above[ones].mean():.1%} of ones and {above[larger].mean():.1%} "
            f"of larger counts, above 1 in {(found.states[larger] > 1).mean():.1%}",
            flush=True,
        )
    return found


def known() -> None:
    """Draw 1 000 genes of 500 cells with two or three states; half of state 0 is below a limit."""
    rng = np.random.default_rng(0)
    n_states = rng.integers(2, 4, 1000)
    truth = rng.integers(0, n_states, (500, 1000))
    logs = np.array([-1.0, 2.0, 4.0])[truth] + rng.normal(0, 0.4, truth.shape)
    values = np.where(logs > -1, np.exp(logs), 0)
    print("states that are known, 500 × 1000")
    for repaired in (False, True):
        found = tell(values, repaired)
        right = np.mean(found.n_states == n_states)
        print(
            f"    right: {right:.1%} of the numbers of states, "
            f"{np.mean(found.states == truth):.1%} of states"
        )
    n_exponentials = int((values > 0).sum() * (2 + 3 + 4 + 5) * 100)
    block, out = -np.random.default_rng(0).random(10_000) * 40, np.empty(10_000)
    start = time.process_time()
    for _ in range(1000):
        np.exp(block, out=out)
    seconds = (time.process_time() - start) / 1e7 * n_exponentials
    print(f"  at most {n_exponentials / 1e6:.0f} million exponentials, alone {seconds:.1f} s")


if __name__ == "__main__":
    main()
