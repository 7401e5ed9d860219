"""Our ccImpute against the original's stored results, step by step.

Run ``python benchmarks/parity_ccimpute.py REFERENCE``, where REFERENCE holds ``inputs``, ``splat``
and ``ccimpute`` (outputs of ccImpute 0.99.20 in R). ``--cells N`` instead measures time and peak
memory on N simulated cells. One core.
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
from impbench_plugins.ccimpute import CcImpute
from impbench_plugins.ccimpute.distance import weighted_spearman_distance
from impbench_plugins.ccimpute.method import gene_weights, impute_given

from impbench import Context, Observed

# Seconds on one core, stated by those who ran the original.
ORIGINAL_SECONDS = {
    "small_rare": "1.41-1.68",
    "small_batch": "1.12-1.20",
    "small_celseq2": "1.12",
    "sim_rare_500": "42.2-44.8",
}
CLUSTERINGS = Path(__file__).parents[1] / "tests" / "data" / "ccimpute" / "original.npz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path, nargs="?")
    parser.add_argument("--cells", type=int)
    parser.add_argument("--starts", type=int, help="of k-means, with --cells")
    arguments = parser.parse_args()
    CcImpute(seeds="independent").prepare(Context())
    CcImpute().prepare(Context())
    if arguments.cells:
        scale(arguments.cells, arguments.starts)
    elif arguments.reference:
        for name in ORIGINAL_SECONDS:
            compare(arguments.reference, name)
    else:
        parser.error("give the reference folder or --cells")


def compare(reference: Path, name: str) -> None:
    folder = "inputs" if name.startswith("small") else "splat"
    cells = anndata.read_h5ad(reference / folder / f"{name}.h5ad")
    observed = Observed.from_counts(cells.X, n_groups=cells.obs["cell_type"].nunique())
    lognorm = observed.lognorm
    original = np.load(reference / "ccimpute" / f"{name}.npz")
    theirs = original["estimate_seed1"]
    print(f"{name}: {observed.n_cells} cells, {observed.n_genes} genes, k = {observed.n_groups}")
    if "dist_seed1" in original:
        weights = gene_weights(observed.dense_counts, observed.size_factors)
        distance = weighted_spearman_distance(observed.dense_counts, weights)
        stored = original["dist_seed1"]
        apart = ~np.eye(len(stored), dtype=bool)
        equal = (distance.astype(np.float32) == stored)[apart].mean()
        print(
            f"  distances: largest difference {np.abs(distance - stored).max():.1e}, "
            f"{equal:.4%} of those between different cells identical once rounded to float32"
        )
    with np.load(CLUSTERINGS) as given:
        if f"labels_{name}" in given:
            labels = given[f"labels_{name}"].astype(np.int64)
            describe("given clusterings", impute_given(lognorm, labels)[0], theirs, lognorm)
    for seeds in ("independent", "original"):
        seconds = []
        for seed in (1, 2, 3):
            if seeds == "original" and f"estimate_seed{seed}" not in original:
                continue  # nothing that it would have to equal
            start = time.process_time()
            imputed = CcImpute(seeds=seeds).impute(observed, Context(seed=seed))
            seconds.append(time.process_time() - start)
            stored = original.get(f"estimate_seed{seed}", theirs)
            what = f"own clusterings, seeds={seeds}, seed {seed}"
            describe(what, imputed.expression, stored, lognorm)
        print(
            f"  seconds, seeds={seeds}: original {ORIGINAL_SECONDS[name]}, ours "
            f"{min(seconds):.2f} to {max(seconds):.2f} (CPU)"
        )
    if "true_counts" not in cells.layers:  # real cells
        return
    truth = true_lognorm(cells)
    print(
        f"  MSE against the truth: original {np.mean((theirs - truth) ** 2):.4f}, "
        f"ours {np.mean((imputed.expression - truth) ** 2):.4f}"
    )


def describe(what: str, ours: np.ndarray, theirs: np.ndarray, lognorm: np.ndarray) -> None:
    zero = lognorm == 0
    same = ((ours > 0) & zero) == ((theirs > 0) & zero)
    genes = same.all(axis=0)
    difference = np.abs(ours - theirs)
    largest = f"{difference[:, genes].max():.1e}" if genes.any() else "-"
    print(
        f"  {what}: calls identical {same.mean():.4%}; genes with identical calls "
        f"{genes.mean():.1%}, largest difference there {largest}; entries within 1e-3 "
        f"{(difference <= 1e-3).mean():.2%}; relative Frobenius "
        f"{np.linalg.norm(ours - theirs) / np.linalg.norm(theirs):.4f}; imputed "
        f"{((ours > 0) & zero).sum()} (original {((theirs > 0) & zero).sum()})"
    )


def true_lognorm(cells: anndata.AnnData) -> np.ndarray:
    counts = cells.layers["true_counts"].toarray()
    return Observed.from_counts(counts).lognorm


def scale(n_cells: int, n_starts: int | None) -> None:
    import impbench

    cells = impbench.simulate("sim_rare", n_cells=n_cells, seed=42)
    observed = Observed.from_counts(cells.X, n_groups=cells.obs["cell_type"].nunique())
    _ = observed.lognorm, observed.dense_counts
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    start = time.perf_counter()
    imputed = CcImpute(n_starts=n_starts, seeds="independent").impute(observed, Context())
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{n_cells} x {observed.n_genes}: {seconds:.1f} s; peak {after:.2f} GB, {before:.2f} GB "
        f"before; an N x N float64 matrix would be {8 * n_cells**2 / 2**30:.1f} GB"
    )
    print(imputed.info)


if __name__ == "__main__":
    main()
