"""Our SDImpute against the original's stored output, and its clusters against R's own functions.

Run ``python benchmarks/parity_sdimpute.py REFERENCE``, where REFERENCE holds ``inputs``, ``splat``
and ``sdimpute`` (output of SDImpute 0.1 in R). With R installed, R's ``prcomp``, ``kmeans``,
``silhouette`` and ``glm`` by the same recipe are the measure on inputs and seeds of which no output
is stored. One core; a few minutes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import anndata
import numpy as np
from impbench_plugins.sdimpute import SdImpute
from impbench_plugins.sdimpute.clusters import RUNS, find_clusters, principal_components
from impbench_plugins.sdimpute.fill import bandwidths
from impbench_plugins.sdimpute.method import impute_given
from sklearn.metrics import adjusted_rand_score

from impbench import Context, Observed

SEEDS = (1, 2, 3)
WITH_R = {
    "inputs/small_celseq2": range(1, 11),
    "inputs/small_rare": range(4, 11),
    "inputs/small_batch": range(4, 11),
    "splat/sim_rare_500": range(1, 4),
}
R_CLUSTERS = """
library(cluster)
args <- commandArgs(trailingOnly = TRUE)
x <- as.matrix(read.csv(args[1], header = FALSE))
p <- prcomp(log2(x / rowSums(x) * 1e6 + 2))$x
d <- dist(p)
for (seed in as.integer(args[-(1:2)])) {
  set.seed(seed)
  widest <- -Inf
  for (k in 5:15) {
    least <- Inf
    for (run in 1:10) {
      repeat {
        found <- try(suppressWarnings(kmeans(p, k)), silent = TRUE)
        if (!inherits(found, "try-error")) break
      }
      if (found$tot.withinss < least) { least <- found$tot.withinss; kept <- found$cluster }
    }
    width <- summary(silhouette(kept, d))$avg.width
    if (width > widest) { widest <- width; labels <- kept }
  }
  coefficients <- sapply(seq_len(max(labels)), function(cluster) {
    inside <- x[labels == cluster, , drop = FALSE]
    zeros <- colMeans(inside == 0) > 0.5
    suppressWarnings(coef(glm(zeros ~ colMeans(inside), binomial, control = list(maxit = 100))))
  })
  out <- paste0(args[2], "/", seed)
  write.table(labels, paste0(out, ".labels"), row.names = FALSE, col.names = FALSE)
  write.table(format(t(coefficients), digits = 17), paste0(out, ".coefficients"), quote = FALSE,
    row.names = FALSE, col.names = FALSE)
}
"""


def main(reference: Path) -> None:
    SdImpute().prepare(Context())
    print("| input | seed | given its clusters and coefficients | clusters, ARI | coefficients |")
    print("|---|---|---|---|---|")
    times = []
    for path in sorted((reference / "sdimpute").glob("*.npz")):
        times += compare(reference, path)
    print("\n| input | seed | original, s | ours, CPU s | ratio |\n|---|---|---|---|---|")
    print("\n".join(times))
    if shutil.which("Rscript"):
        print("\n| input | seeds of R's own | same partition | coefficients |\n|---|---|---|---|")
        for name, seeds in WITH_R.items():
            beside_r(reference / f"{name}.h5ad", list(seeds))


def compare(reference: Path, path: Path) -> list[str]:
    cells = anndata.read_h5ad(reference / "inputs" / f"{path.stem}.h5ad")
    observed = Observed.from_counts(cells.X)
    truth = Observed.from_counts(cells.layers["true_counts"].toarray()).lognorm
    counts = observed.dense_counts.astype(np.float64)
    plane = principal_components(counts)[:, :2]
    stored = np.load(path)
    widths = relative(bandwidths(plane, None), stored["kernel_width_seed1"])
    original = json.loads(path.with_suffix(".json").read_text())["seconds"]
    times, whole, errors = [], [], []
    for seed in SEEDS:
        labels = stored[f"clusters_seed{seed}"].astype(np.int64) - 1
        theirs, curves = stored[f"estimate_seed{seed}"], stored[f"glm_coef_seed{seed}"]
        given = impute_given(counts, labels, plane, coefficients=[tuple(row) for row in curves])
        start = time.process_time()
        imputed = SdImpute().impute(observed, Context(seed=seed))
        seconds = time.process_time() - start
        own = clusters(counts, seed)
        fitted = np.array(impute_given(counts, labels, plane).coefficients)
        print(
            f"| {path.stem} | {seed} | {relative(given.counts, theirs):.1e} relative "
            f"| {adjusted_rand_score(labels, own):.3f} | {relative(fitted, curves):.1e} relative |"
        )
        whole.append(relative(imputed.expression, theirs))
        repaired = SdImpute(repaired=True).impute(observed, Context(seed=seed))
        errors.append(
            [np.mean((each.lognorm(observed) - truth) ** 2) for each in (imputed, repaired)]
        )
        their_seconds = original[seed - 1]["seconds"]
        times.append(
            f"| {path.stem} | {seed} | {their_seconds:.2f} | {seconds:.2f} "
            f"| {their_seconds / seconds:.0f} |"
        )
    probabilities = impute_given(
        counts, stored["clusters_seed1"].astype(np.int64) - 1, plane
    ).probabilities
    print(
        f"| {path.stem} | | weights' widths {widths:.1e} relative, dropout probabilities "
        f"{np.abs(probabilities - stored['dropout_prob_seed1']).max():.1e}; all by ourselves, "
        f"three seeds: {max(whole):.1e} relative | | |"
    )
    nothing = np.mean((observed.lognorm - truth) ** 2)
    published, mended = np.mean(errors, axis=0)
    print(
        f"| {path.stem} | | MSE of log2 values: as published {published:.2f}, repaired "
        f"{mended:.2f}, doing nothing {nothing:.2f} | | |"
    )
    return times


def clusters(counts: np.ndarray, seed: int) -> np.ndarray:
    _, firsts, kinds = np.unique(counts, axis=0, return_index=True, return_inverse=True)
    points = principal_components(counts)
    return find_clusters(points, firsts[kinds.ravel()], range(5, 16), RUNS, seed, lambda part: None)


def beside_r(path: Path, seeds: list[int]) -> None:
    counts = Observed.from_counts(anndata.read_h5ad(path).X).dense_counts.astype(np.float64)
    plane = principal_components(counts)[:, :2]
    same, worst = 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        script, values = Path(folder) / "r.R", Path(folder) / "x.csv"
        script.write_text(R_CLUSTERS)
        np.savetxt(values, counts, delimiter=",", fmt="%.17g")
        arguments = [str(script), str(values), folder, *map(str, seeds)]
        subprocess.run(["Rscript", "--vanilla", *arguments], check=True)
        for seed in seeds:
            labels = np.loadtxt(Path(folder) / f"{seed}.labels", dtype=np.int64) - 1
            curves = np.loadtxt(Path(folder) / f"{seed}.coefficients")
            same += adjusted_rand_score(labels, clusters(counts, seed)) == 1.0
            fitted = np.array(impute_given(counts, labels, plane).coefficients)
            worst = max(worst, relative(fitted, curves))
    print(f"| {path.stem} | {len(seeds)} | {same} | {worst:.1e} relative |", flush=True)


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest relative difference; where theirs is 0, ours must be."""
    zero = theirs == 0
    if ours[zero].any():
        return float("inf")
    return float(np.abs(ours[~zero] / theirs[~zero] - 1).max())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
