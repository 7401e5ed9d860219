"""Our cnnImpute against the stored results of the released program.

Run ``python benchmarks/parity_cnnimpute.py REFERENCE``, where REFERENCE holds ``inputs`` and
``cnnimpute`` (outputs of the program, commit e14894a, with three seeds, and the clusters that its R
part found). One core.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import anndata
import numpy as np
from impbench_plugins.cnnimpute import CnnImpute, barnes_hut, tsne
from impbench_plugins.cnnimpute.groups import find_groups, groups_in
from impbench_plugins.cnnimpute.method import CnnImputeSettings, impute_counts
from impbench_plugins.shared.same_fields import same_fields
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from impbench import Context

SEEDS = (1, 2, 3)
"""Of the program's stored results."""
OWN_SEEDS = range(1, 11)
VARIATIONS = 20
Values = NDArray[Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    reference = parser.parse_args().reference
    CnnImpute().prepare(Context())
    for name in ("small_rare", "small_batch", "small_celseq2"):
        compare(reference, name)


def compare(reference: Path, name: str) -> None:
    counts = anndata.read_h5ad(reference / "inputs" / f"{name}.h5ad").X.toarray().astype(float)
    with np.load(reference / "cnnimpute" / f"{name}.npz") as file:
        theirs = [file[f"imputed_seed{seed}"].astype(float) for seed in SEEDS]
        clusters = file["clusters"] - 1
    runs = json.loads((reference / "cnnimpute" / f"{name}.json").read_text())["runs"]
    print(f"{name}: {counts.shape[0]} cells, {counts.shape[1]} genes")
    say_spread(counts, theirs)
    print("  the program's seconds, clusters not included:", [round(r["cpu_python"]) for r in runs])
    say_outcomes(counts, clusters)
    start = time.process_time()
    own, _ = find_groups(counts, None, None, CnnImpute().n_embeddings)
    print(
        f"  own clusters {np.bincount(own)}, the program's {np.bincount(clusters)}; adjusted Rand "
        f"index {adjusted_rand_score(own, clusters):.2f}, {time.process_time() - start:.1f} s"
    )
    for which, labels in (("the program's", clusters), ("own", own)):
        for seed in OWN_SEEDS:
            start = time.process_time()
            settings = same_fields(CnnImputeSettings, CnnImpute())
            done = impute_counts(counts, labels.astype(np.intp), settings, seed, lambda *_: None)
            print(
                f"  {which} clusters, seed {seed}: distances to the program's seeds "
                f"{[round(distance(done.counts, one), 3) for one in theirs]}, "
                f"mean square of the imputed {mean_square(done.counts, counts):.3f}, as given: "
                f"{np.array_equal(done.counts, counts)}, "
                f"epochs {[len(losses) for losses in done.losses]}, "
                f"{time.process_time() - start:.1f} s"
            )


def say_spread(counts: Values, theirs: list[Values]) -> None:
    between = [distance(theirs[i], theirs[j]) for i in range(3) for j in range(3) if i != j]
    print(
        f"  the program: distance between seeds {min(between):.3f} to {max(between):.3f}, to the "
        f"counts {np.mean([distance(counts, one) for one in theirs]):.3f}; mean square of the "
        f"imputed {[round(mean_square(one, counts), 3) for one in theirs]}"
    )


def say_outcomes(counts: Values, clusters: Values) -> None:
    """Group the cells from first coordinates that differ in their last bit."""
    values = np.log2(counts * (1e6 / counts.sum(axis=1))[:, None] + 1)
    near = tsne.similarities(tsne.principal_components(values), 30.0)
    rng, outcomes = np.random.default_rng(0), Counter[tuple[int, float]]()
    for _ in range(VARIATIONS):
        first = tsne.first_coordinates(len(counts), seed=1)
        first *= 1 + 2.2e-16 * rng.integers(-1, 2, first.shape)
        barnes_hut.descend(near.indptr, near.indices, near.data, first, barnes_hut.ROUNDS)
        found = groups_in(first, None)
        outcomes[int(found.max()) + 1, round(adjusted_rand_score(found, clusters), 1)] += 1
    print(f"  last bit varied {VARIATIONS} times: {{(clusters, ARI): times}}", dict(outcomes))


def distance(one: Values, other: Values) -> float:
    """Return the relative Frobenius distance of ln(1 + counts)."""
    difference = np.log1p(one) - np.log1p(other)
    return float(np.linalg.norm(difference) / np.linalg.norm(np.log1p(other)))


def mean_square(imputed: Values, counts: Values) -> float:
    """Return the mean of ln(1 + x)² over the values that changed, 0 if none did."""
    changed = imputed != counts
    return float(np.mean(np.log1p(imputed[changed]) ** 2)) if changed.any() else 0.0


if __name__ == "__main__":
    main()
