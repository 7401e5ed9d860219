"""Our scNAME against its authors' stored results, in distribution, beside PCA.

Run ``python benchmarks/parity_scname.py REFERENCE``, where REFERENCE holds ``inputs`` and
``scname`` (outputs of commit e468be9, two seeds). One core; seconds are of the processor.
``--networks`` and ``--seeds`` say what is trained, and how often.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from itertools import product
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import anndata
import numpy as np
from impbench_plugins.controls import PrincipalComponents
from impbench_plugins.scname import ScName
from impbench_plugins.scname.training import Cells, ScNameSettings, run
from impbench_plugins.shared.scaled_genes import WithoutEmpty, scaled_genes
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from impbench import Context, Observed

THEIR_SEEDS = (1, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--networks", default="separate", choices=("separate", "both", "shared"))
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    stored = np.load(arguments.reference / "scname" / "small_rare.npz")
    told = json.loads((arguments.reference / "scname" / "small_rare.json").read_text())
    data = anndata.read_h5ad(arguments.reference / "inputs" / "small_rare.h5ad")
    types = data.obs["cell_type"].to_numpy()
    observed = Observed.from_counts(data.X, n_groups=len(np.unique(types)))
    theirs = {
        "pretrained": [stored[f"pretrained_seed{seed}"] for seed in THEIR_SEEDS],
        "embedding": [stored[f"embedding_seed{seed}"] for seed in THEIR_SEEDS],
    }
    their_labels = [stored[f"cluster_seed{seed}"] for seed in THEIR_SEEDS]
    print("original's seconds", list(told["seconds"].values()))

    used = WithoutEmpty.of(observed).observed
    seen = scaled_genes(used, ScName().n_hvg)
    print("genes equal", np.array_equal(seen.genes, stored["gene_index"]))
    counts = np.asarray(used.dense_counts[:, seen.genes], np.float32)
    cells = Cells(seen.values, counts, used.size_factors.astype(np.float32))
    settings = ScNameSettings(networks=arguments.networks)
    ScName().prepare(Context())
    ours: dict[str, list[NDArray[np.float32]]] = {"pretrained": [], "embedding": []}
    our_labels = []
    for seed in range(1, arguments.seeds + 1):
        start = time.process_time()
        fit = run(cells, len(np.unique(types)), settings, seed, lambda done, total: None)
        seconds = time.process_time() - start
        steps = 2 * (settings.pretraining_epochs + fit.epochs)
        print(
            f"seed {seed}: {fit.epochs} epochs of fine-tuning, {seconds:.2f} s, "
            f"{1000 * seconds / steps:.1f} ms a step",
            flush=True,
        )
        ours["pretrained"].append(fit.pretrained)
        ours["embedding"].append(fit.embedding)
        our_labels.append(fit.clusters)
    for part in ours:
        compare(part, ours[part], theirs[part], types)
    for whose, labels in (("original", their_labels), ("ours", our_labels)):
        print(f"clusters: ARI, {whose} {_spread([adjusted_rand_score(types, k) for k in labels])}")
    for n_components in (10, 50):
        pca = PrincipalComponents(n_components=n_components).impute(observed, Context())
        print(f"ARI of {n_components} principal components {_ari(pca.embedding, types):.3f}")


def compare(
    part: str,
    ours: list[NDArray[np.float32]],
    theirs: list[NDArray[np.float32]],
    types: NDArray[np.str_],
) -> None:
    our_distances, their_distances = (
        [_distances(rows) for rows in all_] for all_ in (ours, theirs)
    )
    print(f"{part}:")
    for what, measure in (
        ("mean distance", np.mean),
        ("sd of distances", np.std),
        ("median distance", np.median),
    ):
        found = [[float(measure(d)) for d in ds] for ds in (their_distances, our_distances)]
        print(f"  {what}: original {_spread(found[0])}, ours {_spread(found[1])}")
    found = [[_ari(rows, types) for rows in all_] for all_ in (theirs, ours)]
    print(f"  ARI: original {_spread(found[0])}, ours {_spread(found[1])}")
    between = float(np.corrcoef(*their_distances)[0, 1])
    across = [np.corrcoef(*pair)[0, 1] for pair in product(our_distances, their_distances)]
    print(f"  correlation of distances: original's seeds {between:.3f}, across {_spread(across)}")


def _distances(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    whole = rows.astype(np.float64)
    squares = np.square(whole[:, None] - whole).sum(axis=2)
    return np.asarray(np.sqrt(squares[np.triu_indices(len(rows), 1)]))


def _ari(rows: NDArray[np.float32], types: NDArray[np.str_]) -> float:
    """Mean over five runs of k-means with the true k."""
    k = len(np.unique(types))
    found = [KMeans(k, n_init=1, random_state=start).fit_predict(rows) for start in range(5)]
    return float(np.mean([adjusted_rand_score(types, clusters) for clusters in found]))


def _spread(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"


if __name__ == "__main__":
    main()
