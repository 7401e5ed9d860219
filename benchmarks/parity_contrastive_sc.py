"""Our contrastive-sc against its authors' stored results, seed by seed, beside PCA.

Run ``python benchmarks/parity_contrastive_sc.py REFERENCE DATASETS``, where REFERENCE holds
``inputs`` and ``contrastive-sc`` (outputs of commit e6a06ef), and DATASETS holds ``pollen.h5ad``.
One core; seconds are of the processor.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import anndata
import numpy as np
from impbench_plugins.contrastive_sc import ContrastiveSc
from impbench_plugins.controls import PrincipalComponents
from impbench_plugins.shared.scaled_genes import WithoutEmpty, scaled_genes
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from impbench import Context, Observed

INPUTS = ("small_rare", "small_celseq2", "pollen")
SEEDS = (1, 2, 3)
FURTHER_SEEDS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    parser.add_argument("datasets", type=Path)
    arguments = parser.parse_args()
    ContrastiveSc().prepare(Context())
    for name in INPUTS:
        folder = arguments.datasets if name == "pollen" else arguments.reference / "inputs"
        compare(name, anndata.read_h5ad(folder / f"{name}.h5ad"), arguments.reference)


def compare(name: str, cells: anndata.AnnData, reference: Path) -> None:
    observed = Observed.from_counts(cells.X)
    labels = cells.obs["cell_type"].to_numpy()
    stored = np.load(reference / "contrastive-sc" / f"{name}.npz")
    told = json.loads((reference / "contrastive-sc" / f"{name}.json").read_text())
    print(f"{name}: {observed.n_cells} × {observed.n_genes}, {len(np.unique(labels))} types")
    seen = scaled_genes(WithoutEmpty.of(observed).observed, 500).values
    print(f"  input: largest difference {np.abs(seen - stored['input_scaled']).max():.1e}")
    ours, theirs = [], [stored[f"embedding_seed{seed}"] for seed in SEEDS]
    for seed in range(1, FURTHER_SEEDS + 1):
        start = time.process_time()
        ours.append(ContrastiveSc().impute(observed, Context(seed=seed)).embedding)
        seconds = time.process_time() - start
        if seed in SEEDS:
            their_own = theirs[seed - 1]
            cosines = np.sum(ours[-1] * their_own, axis=1)
            moved = np.abs(_distances(ours[-1]) - _distances(their_own))
            print(
                f"  seed {seed}: cosine to the original's row median {np.median(cosines):.4f}, "
                f"least {cosines.min():.4f}; distances differ by {moved.mean():.4f}, at most "
                f"{moved.max():.3f}; ARI {_ari(ours[-1], labels):.3f} and "
                f"{_ari(their_own, labels):.3f}; {seconds:.2f} s and "
                f"{told['seconds'][str(seed)]:.2f} s"
            )
    print(f"  ARI of {FURTHER_SEEDS} seeds {_spread([_ari(each, labels) for each in ours])}")
    for n_components in (10, 50):
        pca = PrincipalComponents(n_components=n_components).impute(observed, Context())
        print(f"  ARI of {n_components} principal components {_ari(pca.embedding, labels):.3f}")


def _distances(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 1 − cosine of every pair of unit rows."""
    return np.asarray(1 - (rows @ rows.T)[np.triu_indices(len(rows), 1)])


def _ari(rows: NDArray[np.float32], labels: NDArray[np.str_]) -> float:
    """Mean over five runs of k-means with the true k."""
    k = len(np.unique(labels))
    found = [KMeans(k, n_init=1, random_state=run).fit_predict(rows) for run in range(5)]
    return float(np.mean([adjusted_rand_score(labels, clusters) for clusters in found]))


def _spread(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"


if __name__ == "__main__":
    main()
