"""Our DrImpute against the original's stored output: with R's k-means, and with ours.

Run ``python benchmarks/parity_drimpute.py REFERENCE``, where REFERENCE holds ``inputs`` and
``drimpute`` (output of DrImpute 1.0 in R, ``estimate_seedN``); R must be installed; some minutes.
The original's clusterings were not stored. R's own ``prcomp`` and ``kmeans`` make clusterings by
the published recipe, from which our filling starts: how far their seeds lie apart is the measure
of how far two runs of the same program can. Whether two sets of runs differ is asked by the energy
distance, twice the mean distance across less the mean distances within, under permutations.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from itertools import combinations
from math import comb
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import anndata
import numpy as np
from impbench_plugins.drimpute import DrImpute
from impbench_plugins.drimpute.fill import fill_zeros

from impbench import Context, Observed

ORIGINAL_SEEDS = (1, 2, 3)
SEEDS = range(1, 11)
PERMUTATIONS = 2000
"""At most; all splits of the runs where there are fewer."""
R_CLUSTERINGS = """
args <- commandArgs(trailingOnly = TRUE)
x <- as.matrix(read.csv(args[1], header = FALSE))
set.seed(as.integer(args[2]))
labels <- NULL
for (method in c("spearman", "pearson")) {
  pca <- prcomp(1 - cor(x, method = method), center = TRUE, scale. = TRUE)
  points <- pca$rotation[, seq_len(round(0.05 * ncol(x)))]
  for (k in 10:15)
    labels <- cbind(labels, kmeans(points, k, iter.max = 1e6, nstart = 1000)$cluster)
}
write.table(labels - 1, args[3], sep = ",", row.names = FALSE, col.names = FALSE)
"""


def main(reference: Path) -> None:
    DrImpute().prepare(Context())
    print("| input | compared | runs | least | mean | most | p |\n|---|---|---|---|---|---|---|")
    for path in sorted((reference / "inputs").glob("small_[br]*.h5ad")):
        compare(path, np.load(reference / "drimpute" / f"{path.stem}.npz"))


def compare(path: Path, stored: np.lib.npyio.NpzFile) -> None:
    cells = anndata.read_h5ad(path)
    observed = Observed.from_counts(cells.X)
    truth = Observed.from_counts(cells.layers["true_counts"].toarray()).lognorm
    lognorm, seen = observed.lognorm, observed.lognorm > 0
    seconds, ours = [], []
    for seed in SEEDS:
        start = time.perf_counter()
        ours.append(DrImpute().impute(observed, Context(seed=seed)).expression)
        seconds.append(time.perf_counter() - start)
    runs = {
        "original": [stored[f"estimate_seed{seed}"] for seed in ORIGINAL_SEEDS],
        "R's k-means": [fill_zeros(lognorm, r_labels(lognorm, seed)) for seed in SEEDS],
        "ours": ours,
    }
    for name, found in runs.items():
        within(path.stem, name, found)
    for one, other in combinations(runs, 2):
        across(path.stem, f"{one}, {other}", runs[one], runs[other])
    kept = max(np.abs((estimate - lognorm)[seen]).max() for estimate in runs["original"])
    print(f"\n{path.stem}: observed values differ by at most {kept:.0e} in the original")
    for name, found in runs.items():
        errors = [np.mean((estimate - truth) ** 2) for estimate in found]
        print(f"{name}: mse {np.mean(errors):.3f} (sd {np.std(errors, ddof=1):.3f})")
    print(f"seconds of ours: {min(seconds):.1f} to {max(seconds):.1f}\n")


def within(stem: str, name: str, runs: list[np.ndarray]) -> None:
    values = [distance(a, b) for a, b in combinations(runs, 2)]
    print(f"| {stem} | {name}, its seeds | {len(runs)} | {span(values)} | |")


def across(stem: str, name: str, first: list[np.ndarray], second: list[np.ndarray]) -> None:
    values = [distance(a, b) for a in first for b in second]
    n = f"{len(first)} × {len(second)}"
    print(f"| {stem} | {name} | {n} | {span(values)} | {p_value(first, second):.2f} |")


def p_value(first: list[np.ndarray], second: list[np.ndarray]) -> float:
    """Share of the splits of all runs whose energy distance is no smaller than the real one."""
    both = first + second
    table = np.array([[np.linalg.norm(a - b) for b in both] for a in both])
    everyone = np.arange(len(both))
    if comb(len(both), len(first)) <= PERMUTATIONS:
        splits = [list(chosen) for chosen in combinations(everyone, len(first))]
    else:
        rng = np.random.default_rng(0)
        splits = [rng.permutation(everyone)[: len(first)] for _ in range(PERMUTATIONS)]
    found = energy(table, everyone[: len(first)])
    return float(np.mean([energy(table, chosen) >= found - 1e-9 for chosen in splits]))


def energy(table: np.ndarray, chosen: np.ndarray | list[int]) -> float:
    others = np.setdiff1d(np.arange(len(table)), chosen)
    inside = [table[np.ix_(part, part)] for part in (chosen, others)]
    means = [part.sum() / (len(part) * (len(part) - 1)) for part in inside]
    return float(2 * table[np.ix_(chosen, others)].mean() - sum(means))


def r_labels(lognorm: np.ndarray, seed: int) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        script, values, labels = (str(Path(folder) / n) for n in ("r.R", "x.csv", "labels.csv"))
        Path(script).write_text(R_CLUSTERINGS)
        np.savetxt(values, lognorm.T, delimiter=",", fmt="%.9g")
        subprocess.run(["Rscript", "--vanilla", script, values, str(seed), labels], check=True)
        return np.loadtxt(labels, delimiter=",", dtype=np.int64)


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Relative Frobenius distance."""
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def span(values: list[float]) -> str:
    return f"{min(values):.2%} | {np.mean(values):.2%} | {max(values):.2%}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
