"""Our DrImpute against the original's stored output: with R's k-means, and with ours.

Run ``python benchmarks/parity_drimpute.py REFERENCE``, where REFERENCE holds ``inputs`` and
``drimpute`` (output of DrImpute 1.0 in R, ``estimate_seedN``). The original's clusterings were not
stored. Where ``Rscript`` is found, R's own ``prcomp`` and ``kmeans`` make clusterings by the
published recipe, from which our filling starts: how much those differ from the original is the
measure of how much two runs of the same program can.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import combinations
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import anndata
import numpy as np
from impbench_plugins.drimpute import DrImpute
from impbench_plugins.drimpute.fill import fill_zeros

from impbench import Context, Observed

SEEDS = (1, 2, 3)
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
    print("| input | step | original | ours | difference |\n|---|---|---|---|---|")
    for path in sorted((reference / "inputs").glob("small_*.h5ad")):
        compare(path, np.load(reference / "drimpute" / f"{path.stem}.npz"))


def compare(path: Path, stored: np.lib.npyio.NpzFile) -> None:
    cells = anndata.read_h5ad(path)
    observed = Observed.from_counts(cells.X)
    truth = Observed.from_counts(cells.layers["true_counts"].toarray()).lognorm
    original = [stored[f"estimate_seed{seed}"] for seed in SEEDS]
    lognorm, seen = observed.lognorm, observed.lognorm > 0
    seconds, ours = [], []
    for seed in SEEDS:
        start = time.perf_counter()
        ours.append(DrImpute().impute(observed, Context(seed=seed)).expression)
        seconds.append(time.perf_counter() - start)
    name = path.stem
    kept = max(np.abs((estimate - lognorm)[seen]).max() for estimate in original)
    print(f"| {name} | observed values | | | at most {kept:.0e} |")
    spread = [distance(a, b) for a, b in combinations(original, 2)]
    print(f"| {name} | distance between seeds | {span(spread)} | | |")
    if shutil.which("Rscript"):
        labels = [r_labels(lognorm, seed) for seed in SEEDS]
        by_r = [fill_zeros(lognorm, given) for given in labels]
        print(f"| {name} | distance, R's k-means, our filling | | | {across(by_r, original)} |")
    print(f"| {name} | distance, own clusterings | | | {across(ours, original)} |")
    errors = [[np.mean((x - truth) ** 2) for x in runs] for runs in (original, ours)]
    (was, was_sd), (now, now_sd) = ((np.mean(e), np.std(e, ddof=1)) for e in errors)
    print(
        f"| {name} | mse (sd) | {was:.3f} ({was_sd:.3f}) | {now:.3f} ({now_sd:.3f}) "
        f"| {now / was - 1:+.1%} |"
    )
    print(f"| {name} | seconds | not recorded | {min(seconds):.1f} to {max(seconds):.1f} | |")


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


def across(ours: list[np.ndarray], original: list[np.ndarray]) -> str:
    return span([distance(a, b) for a in ours for b in original])


def span(values: list[float]) -> str:
    return f"{min(values):.2%} to {max(values):.2%}, mean {np.mean(values):.2%}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
