"""Our scGNN against its authors' stored results: its parts by value, whole runs by distance.

Run ``python benchmarks/parity_scgnn.py REFERENCE``, where REFERENCE holds ``inputs`` and ``scgnn``
(outputs of commit 09ac50b with ``--quickmode --EM-iteration 2``, without LTMG). One core; seconds
are of the processor. Distances are relative Frobenius, of ln(1 + count). ``--graph`` holds the
graph autoencoder to PyTorch with the published loss written out, on the stored embeddings and
edges, ``--options`` runs the options whose outputs are not stored, and ``--passes`` times passes of
ours, of PyTorch with the published loss written out, and the products of matrices alone, in turns.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import anndata
import numpy as np
import scipy.sparse as sp
import torch
from impbench_plugins.scgnn import Scgnn
from impbench_plugins.scgnn.clusters import mates
from impbench_plugins.scgnn.genes import SeenCounts, choose
from impbench_plugins.scgnn.graph_autoencoder import SPLIT_SEED, embed, features_of, hold_back
from impbench_plugins.scgnn.neighbours import NearestCells, nearest
from impbench_plugins.scgnn.network import FeatureAutoencoder
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from torch import nn

from impbench import Context, Observed

INPUTS = ("small_rare", "small_celseq2")
Floats = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--inputs", nargs="+", default=INPUTS)
    parser.add_argument("--seeds", nargs="+", type=int, default=(1, 2, 3))
    parser.add_argument("--graph", action="store_true")
    parser.add_argument("--options", action="store_true")
    parser.add_argument("--passes", action="store_true")
    options = parser.parse_args()
    Scgnn(ltmg=True, graph_embedding=True).prepare(Context())
    for name in options.inputs:
        if options.graph:
            compare_graph(name, options.reference)
        elif options.passes:
            time_passes(name, options.reference)
        elif options.options:
            compare_options(name, options.reference, options.seeds)
        else:
            compare(name, options.reference, options.seeds)


def compare(name: str, reference: Path, wanted: Sequence[int]) -> None:
    cells = anndata.read_h5ad(reference / "inputs" / f"{name}.h5ad")
    observed, types = Observed.from_counts(cells.X), cells.obs["cell_type"].to_numpy()
    stored = np.load(reference / "scgnn" / f"quick2_{name}.npz")
    told = json.loads((reference / "scgnn" / f"quick2_{name}.json").read_text())
    seeds = [int(seed) for seed in told["cpu_seconds"]]
    theirs = {seed: stored[f"imputed_seed{seed}"] for seed in seeds}
    seen = choose(observed, 2000)
    print(f"{name}: {observed.n_cells} × {observed.n_genes}, {len(np.unique(types))} types")
    print(f"  genes in the original's order: {np.mean(seen.genes == stored['gene_index']):.1%}")
    for one, other in combinations(seeds, 2):
        print(f"  original, seeds {one} and {other}: {_distance(theirs[one], theirs[other]):.1%}")
    for seed in [seed for seed in seeds if seed in wanted]:
        embedding, edges = stored[f"embedding_seed{seed}"], stored[f"edges_seed{seed}"]
        graph = nearest(embedding, 10)
        equal = (graph.neighbours.ravel() == edges[:, 1]) & (graph.near.ravel() == edges[:, 2])
        weights = 0.3 * graph.degrees() + 0.1 * mates(stored[f"cluster_seed{seed}"])
        given = impute(seen, weights.astype(np.float32)[:, None], seed)
        start = time.process_time()
        ours = Scgnn(quickmode=True, em_iterations=2).impute(observed, Context(seed=seed))
        seconds = time.process_time() - start
        values = np.log1p(ours.expression[:, seen.genes])
        print(
            f"  seed {seed}: edges {equal.mean():.1%} equal; given edges and clusters "
            f"{_distance(given, theirs[seed]):.1%}; whole run {_distance(values, theirs[seed]):.1%}"
            f", embedding {_distance(ours.embedding, embedding):.1%}; ARI "
            f"{_ari(ours.embedding, types):.3f} and {_ari(embedding, types):.3f}; clusters "
            f"{ours.info['clusters']}; {seconds:.1f} s and {told['cpu_seconds'][str(seed)]} s",
            flush=True,
        )
    floor = multiply(seen)
    print(f"  of it, the products of 1 099 steps: {floor:.1f} s", flush=True)


def impute(seen: SeenCounts, weights: Floats, seed: int) -> Floats:
    generator = torch.Generator().manual_seed(seed)
    network = FeatureAutoencoder(seen.values, 512, 128, 1.0, generator)
    for _ in range(200):
        layers = network.step(weights)
    return layers[-1]


def compare_graph(name: str, reference: Path) -> None:
    types = anndata.read_h5ad(reference / "inputs" / f"{name}.h5ad").obs["cell_type"].to_numpy()
    stored = np.load(reference / "scgnn" / f"quick2_{name}.npz")
    z, edges = stored["embedding_seed1"], stored["edges_seed1"]
    graph = NearestCells(edges[:, 1].astype(np.int64).reshape(len(z), -1), edges[:, 2] > 0)
    kept = hold_back(graph.union(), np.random.RandomState(SPLIT_SEED))
    torch.set_num_threads(1)
    start = time.process_time()
    ours = embed(features_of(z), kept, 200, torch.Generator().manual_seed(1))
    middle = time.process_time()
    theirs = published_graph(features_of(z), kept, 200, torch.Generator().manual_seed(1))
    end = time.process_time()
    other = embed(features_of(z), kept, 200, torch.Generator().manual_seed(2))
    print(
        f"{name}: graph autoencoder, ours to PyTorch's {_distance(ours, theirs):.1e}, to another "
        f"seed's {_distance(ours, other):.1e}; ARI {_ari(ours, types):.3f}, "
        f"{_ari(theirs, types):.3f} and of z {_ari(z, types):.3f}; {middle - start:.2f} s and "
        f"{end - middle:.2f} s",
        flush=True,
    )


def published_graph(
    features: Floats, linked: sp.csr_matrix, n_epochs: int, generator: torch.Generator
) -> Floats:
    """Train as the program does, with PyTorch's gradients."""
    x, a, n = torch.from_numpy(features), torch.from_numpy(linked.toarray()), len(features)
    weights = [torch.empty(s, requires_grad=True) for s in ((x.shape[1], 32), (32, 16), (32, 16))]
    for weight in weights:
        torch.nn.init.xavier_uniform_(weight, generator=generator)
    optimizer = torch.optim.Adam(weights, lr=0.01)
    targets = a + torch.eye(n)
    scale = targets.sum(dim=1) ** -0.5
    spread = (scale[:, None] * targets * scale).to_sparse()
    n_linked, mean = a.sum(), torch.empty(0)
    for _ in range(n_epochs):
        hidden = torch.relu(spread @ (x @ weights[0]))
        mean, log_sd = spread @ (hidden @ weights[1]), spread @ (hidden @ weights[2])
        z = mean + torch.empty_like(mean).normal_(generator=generator) * log_sd.exp()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            z @ z.T, targets, pos_weight=(n * n - n_linked) / n_linked
        )
        divergence = (1 + 2 * log_sd - mean**2 - (2 * log_sd).exp()).sum(dim=1).mean()
        optimizer.zero_grad()
        (n * n / (2 * (n * n - n_linked)) * loss - 0.5 / n * divergence).backward()
        optimizer.step()
    return mean.detach().numpy()


def compare_options(name: str, reference: Path, seeds: Sequence[int]) -> None:
    cells = anndata.read_h5ad(reference / "inputs" / f"{name}.h5ad")
    observed, types = Observed.from_counts(cells.X), cells.obs["cell_type"].to_numpy()
    chosen = {
        "default": {},
        "ltmg": {"ltmg": True},
        "ltmg, repaired": {"ltmg": True, "ltmg_repaired": True},
        "graph_embedding": {"graph_embedding": True},
        "both": {"ltmg": True, "graph_embedding": True},
    }
    for seed in seeds:
        plain: Floats | None = None
        for what, parameters in chosen.items():
            imputer = Scgnn(quickmode=True, em_iterations=2, **parameters)
            start = time.process_time()
            imputed = imputer.impute(observed, Context(seed=seed))
            seconds = time.process_time() - start
            values = np.log1p(imputed.expression)
            plain = values if plain is None else plain
            print(
                f"{name}, seed {seed}, {what}: imputation {_distance(values, plain):.1%} from the "
                f"default's; ARI {_ari(imputed.embedding, types):.3f}; clusters "
                f"{imputed.info['clusters']}; {seconds:.1f} s",
                flush=True,
            )


def time_passes(name: str, reference: Path) -> None:
    torch.set_num_threads(1)
    seen = choose(
        Observed.from_counts(anndata.read_h5ad(reference / "inputs" / f"{name}.h5ad").X), 2000
    )
    network = FeatureAutoencoder(seen.values, 512, 128, 1.0, torch.Generator().manual_seed(1))
    weights = np.full((len(seen.values), 1), np.float32(0.1))
    published = published_passes(seen.values)
    print(f"{name}: milliseconds a pass of ours, of PyTorch's, and of the products alone")
    for _ in range(6):
        network.restart()
        taken = []
        for passes in (lambda: network.step(weights), lambda: next(published)):
            start = time.process_time()
            for _ in range(60):
                passes()
            taken.append((time.process_time() - start) / 60)
        taken.append(multiply(seen) / 1099)
        print("  " + ", ".join(f"{1000 * seconds:.1f}" for seconds in taken), flush=True)


def published_passes(values: Floats) -> Iterator[None]:
    """Yield after each pass of the published program before its loop, with PyTorch's gradients."""
    x, n_genes = torch.from_numpy(values), values.shape[1]
    torch.manual_seed(1)
    widths = ((n_genes, 512), (512, 128), (128, 512), (512, n_genes))
    network = nn.Sequential(*(f for pair in widths for f in (nn.Linear(*pair), nn.ReLU())))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    while True:
        size = sum(each.abs().sum() for each in network.parameters())
        loss = 0.1 * (network(x) - x).square().sum() + size
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield


def multiply(seen: SeenCounts) -> float:
    """Time the 11 products of a step alone, and return the seconds of 1 099 steps."""
    network = FeatureAutoencoder(seen.values, 512, 128, 1.0, torch.Generator().manual_seed(1))
    layers = network.forward()
    by = [np.empty_like(layer) for layer in layers]
    start = time.process_time()
    for _ in range(100):
        for place, matrix in enumerate(network.matrices):
            np.dot(layers[place], matrix, out=by[place + 1])
            np.dot(layers[place].T, layers[place + 1], out=network.matrix_gradients[place])
            if place:
                np.dot(layers[place + 1], matrix.T, out=by[place])
    return (time.process_time() - start) / 100 * 1099


def _distance(ours: Floats, theirs: Floats) -> float:
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))


def _ari(rows: Floats, types: NDArray[np.str_]) -> float:
    k = len(np.unique(types))
    found = [KMeans(k, n_init=1, random_state=run).fit_predict(rows) for run in range(5)]
    return float(np.mean([adjusted_rand_score(types, labels) for labels in found]))


if __name__ == "__main__":
    main()
