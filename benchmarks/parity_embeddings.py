"""Methods that give only an embedding, beside the stored output of their authors' code.

Run ``python benchmarks/parity_embeddings.py METHOD REFERENCE FILE.h5ad...``, where METHOD is
``graph-sc`` and the folder REFERENCE holds, for each FILE, ``METHOD/[PREFIX_]FILE.npz`` with the
original's ``embedding_seedN`` and a ``.json`` of the same name with its seconds. Three seeds each.

ARI is that of k-means with the true k. Distances are those between cells, which an embedding that
is turned keeps: their mean, and the correlation of those of two embeddings, ours with the
original's, and the original's seeds with each other. Two columns say how far our embedding lies
from the original's of the same seed and of another seed, relative, in Frobenius norm.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterable
from itertools import combinations, permutations, product
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import anndata
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

import impbench
from impbench import Context, Observed

SEEDS = (1, 2, 3)
SPECS = {
    "graph-sc": ("graph-sc", "graph-sc[epochs=0]"),
    "clear": ("clear[learning_rate=1,schedule=cosine]", "clear", "clear[learning_rate=0]"),
}
"""As which imputer the stored runs were made, and what stands beside it."""

CONTROLS = ("pca[n_components=10]", "pca")

COLUMNS = (
    "input", "by", "ARI", "mean distance", "distances alike", "same seed", "another seed", "CPU s",
    "wall s",
)  # fmt: skip
Embeddings = dict[int, NDArray[Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("method", choices=SPECS)
    parser.add_argument("reference", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    options = parser.parse_args()
    imputer = impbench.get_imputer(SPECS[options.method][0])
    imputer.prepare(Context())
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for path in options.files:
        (stored,) = (options.reference / options.method).glob(f"*{path.stem}.npz")
        cells = anndata.read_h5ad(path)
        compare(imputer, cells, stored, path.stem)
        for spec in (*SPECS[options.method][1:], *CONTROLS):
            beside(impbench.get_imputer(spec), cells, path.stem)


def compare(imputer: impbench.Imputer, cells: anndata.AnnData, stored: Path, name: str) -> None:
    labels = cells.obs["cell_type"].astype(str).to_numpy()
    observed = Observed.from_counts(cells.X)
    with np.load(stored) as file:
        kept = file["cell_index"] if "cell_index" in file else np.arange(len(labels))
        theirs = {seed: file[f"embedding_seed{seed}"] for seed in SEEDS}
    ours, cpu, wall, infos = {}, [], [], []
    for seed in SEEDS:
        began, began_cpu = time.perf_counter(), time.process_time()
        imputed = imputer.impute(observed, Context(seed=seed))
        wall.append(time.perf_counter() - began)
        cpu.append(time.process_time() - began_cpu)
        assert imputed.embedding is not None
        ours[seed] = imputed.embedding[kept]
        infos.append(imputed.info)
    seconds = list(json.loads(stored.with_suffix(".json").read_text())["seconds"].values())
    labels = labels[kept]
    pairs = list(permutations(SEEDS, 2))
    row(name, "original", labels, theirs, [
        alike((theirs[a], theirs[b]) for a, b in combinations(SEEDS, 2)), "",
        spread([apart(theirs[a], theirs[b]) for a, b in pairs]), "", spread(seconds),
    ])  # fmt: skip
    row(name, "ours", labels, ours, [
        alike((ours[a], theirs[b]) for a, b in product(SEEDS, SEEDS) if a != b),
        spread([apart(ours[seed], theirs[seed]) for seed in SEEDS]),
        spread([apart(ours[a], theirs[b]) for a, b in pairs]), spread(cpu), spread(wall),
    ])  # fmt: skip
    print(f"<!-- {name}: {infos} -->", flush=True)


def beside(imputer: impbench.Imputer, cells: anndata.AnnData, name: str) -> None:
    observed = Observed.from_counts(cells.X)
    seeds = SEEDS if imputer.stochastic else SEEDS[:1]
    labels = cells.obs["cell_type"].astype(str).to_numpy()
    found = {seed: imputer.impute(observed, Context(seed=seed)).embedding for seed in seeds}
    row(name, f"`{imputer.spec}`", labels, found, [""] * 5)  # type: ignore[arg-type]


def row(name: str, by: str, labels: NDArray[Any], embeddings: Embeddings, rest: list[str]) -> None:
    k = len(np.unique(labels))
    aris = [
        adjusted_rand_score(labels, KMeans(k, n_init=10, random_state=5).fit_predict(embedding))
        for embedding in embeddings.values()
    ]
    distances = [float(pdist(embedding).mean()) for embedding in embeddings.values()]
    print(f"| {' | '.join([name, by, spread(aris), spread(distances), *rest])} |", flush=True)


def alike(pairs: Iterable[tuple[NDArray[Any], NDArray[Any]]]) -> str:
    return spread([np.corrcoef(pdist(one), pdist(other))[0, 1] for one, other in pairs])


def apart(one: NDArray[Any], other: NDArray[Any]) -> float:
    return float(np.linalg.norm(one - other) / np.linalg.norm(other))


def spread(values: list[float]) -> str:
    mean = f"{np.mean(values):.4g}"
    return f"{mean} ({np.std(values, ddof=1):.2g})" if len(values) > 1 else mean


if __name__ == "__main__":
    main()
