"""Which partition is the better optimum where R's k-means and ours differ: sums of squares.

Run ``python benchmarks/optima_ccimpute.py REFERENCE``, where REFERENCE holds ``inputs`` and
``ccimpute`` (clusterings of ccImpute 0.99.20 in R). For each of its clusterings: the within-cluster
sum of squares of the stored partition, of `best_kmeans` with 1000 starts (what `ccimpute` runs;
three seeds) and with many more, and of R's algorithm from R's own starts. Sums are above the lowest
of all, in parts per million of it; 0 is the best known. One core.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import anndata
import numpy as np
from impbench_plugins.ccimpute.distance import unit_ranks
from impbench_plugins.ccimpute.method import gene_weights, impute_given
from impbench_plugins.shared.distance_components import distance_components
from impbench_plugins.shared.kmeans import best_kmeans
from impbench_plugins.shared.r_kmeans import distinct_points, r_kmeans
from impbench_plugins.shared.r_streams import biocparallel_stream

from impbench import Observed

MANY = 20_000
SEEDS = (1, 2, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    reference = parser.parse_args().reference
    for name in ("small_rare", "small_batch", "small_celseq2"):
        compare(reference, name)


def compare(reference: Path, name: str) -> None:
    cells = anndata.read_h5ad(reference / "inputs" / f"{name}.h5ad")
    k = cells.obs["cell_type"].nunique()
    observed = Observed.from_counts(cells.X, n_groups=k)
    stored = dict(np.load(reference / "ccimpute" / f"{name}.npz"))
    more = reference / "ccimpute" / f"{name}_intermediates.npz"
    stored |= dict(np.load(more)) if more.exists() else {}
    clusterings = stored["clusterings_seed1"].astype(np.int64)
    weights = gene_weights(observed.dense_counts, observed.size_factors)
    n_most = int(stored["n_components"].max())
    components = distance_components(
        observed.dense_counts, lambda block: unit_ranks(block, weights), 0.0, n_most
    )
    print(f"\n{name}: k = {k}; sums of squares above the lowest, parts per million")
    print(
        "| components | lowest | original | ours, 3 seeds | ours, many starts | R's, R's starts |"
    )
    print("|---|---|---|---|---|---|")
    ours, theirs_again = [], []
    for number, n_components in enumerate(stored["n_components"]):
        points = components.loadings[:, :n_components]
        found = [best_kmeans(points, k, 1000, seed) for seed in SEEDS]
        ours.append([labels for labels, _ in found])
        distinct = distinct_points(points)
        starts = biocparallel_stream().substream(number).samples(len(distinct), k, 1000)
        theirs_again.append(r_kmeans(points, distinct[starts], 1000)[0])
        sums = np.array(
            [
                within(points, clusterings[:, number]),
                *(within(points, labels) for labels, _ in found),
                best_kmeans(points, k, MANY, seed=4)[1],
                within(points, theirs_again[-1]),
            ]
        )
        above = np.round((sums / sums.min() - 1) * 1e6).astype(int)
        print(
            f"| {n_components} | {sums.min():.6f} | {above[0]} | "
            f"{', '.join(map(str, above[1:4]))} | {above[4]} | {above[5]} |"
        )

    mask = stored["dropout_mask_seed1"]
    zero = observed.lognorm == 0
    given = {"its clusterings": clusterings, "R's algorithm from R's starts": theirs_again}
    given |= {f"ours, seed {seed}": [labels[i] for labels in ours] for i, seed in enumerate(SEEDS)}
    for what, labels in given.items():
        labels = labels if isinstance(labels, np.ndarray) else np.stack(labels, axis=1)
        filled, _ = impute_given(observed.lognorm, labels)
        differs = ((filled > 0) & zero) != mask
        apart = np.abs(filled - stored["estimate_seed1"])[zero].max()
        print(f"{what}: {differs.sum()} of {mask.sum()} calls differ, values by up to {apart:.1e}")


def within(points: np.ndarray, labels: np.ndarray) -> float:
    """Return the within-cluster sum of squares."""
    return sum(
        ((points[labels == c] - points[labels == c].mean(axis=0)) ** 2).sum()
        for c in np.unique(labels)
    )


if __name__ == "__main__":
    main()
