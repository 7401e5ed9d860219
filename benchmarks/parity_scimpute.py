"""Our scImpute against the original's stored results, step by step.

Run ``python benchmarks/parity_scimpute.py REFERENCE``, where REFERENCE holds ``inputs``, ``splat``
and ``scimpute`` (outputs of scImpute 0.0.9 in R). One core.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import anndata
import numpy as np
from impbench_plugins.scimpute import ScImpute
from impbench_plugins.scimpute.method import Groups, find_groups, impute_given
from impbench_plugins.shared.dropout_mixture import (
    dropout_probabilities,
    fit_mixtures,
    log_cpm,
    valid_genes,
)
from sklearn.metrics import adjusted_rand_score

from impbench import Context, Observed

# Seconds on one core, stated by those who ran the original.
ORIGINAL_SECONDS = {"small_rare": "7-11", "small_batch": "7-11", "sim_rare_500": "61-72"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    reference = parser.parse_args().reference
    ScImpute().prepare(Context())
    for name in ORIGINAL_SECONDS:
        compare(reference, name)


def compare(reference: Path, name: str) -> None:
    folder = "inputs" if name.startswith("small") else "splat"
    cells = anndata.read_h5ad(reference / folder / f"{name}.h5ad")
    observed = Observed.from_counts(cells.X, n_groups=cells.obs["cell_type"].nunique())
    counts = observed.dense_counts
    original = np.load(reference / "scimpute" / f"{name}.npz")
    theirs = original["estimate_seed1"]
    their_labels = original["clust_seed1"].ravel()
    labels = np.where(their_labels > 0, their_labels - 1, -1).astype(np.int64)
    values = log_cpm(counts)
    print(f"{name}: {observed.n_cells} cells, {observed.n_genes} genes, K = {observed.n_groups}")

    fitted = close = same_missing = total = same_calls = entries = 0
    for label in range(observed.n_groups):
        inside = values[labels == label]
        ours, stored = fit_mixtures(inside), original[f"pars{label + 1}_seed1"]
        both = np.isfinite(ours).all(axis=1) & np.isfinite(stored).all(axis=1)
        same_missing += (np.isnan(ours).any(axis=1) == np.isnan(stored).any(axis=1)).sum()
        difference = np.abs(ours - stored)[both] / np.maximum(np.abs(stored[both]), 1e-300)
        difference[(ours == stored)[both]] = 0
        close += (difference.max(axis=1) <= 1e-3).sum()
        fitted += both.sum()
        total += len(ours)
        genes = valid_genes(ours) & valid_genes(stored)
        known = np.ascontiguousarray(inside[:, genes])
        a = dropout_probabilities(known, ours[genes]) > 0.5
        b = dropout_probabilities(known, stored[genes]) > 0.5
        same_calls += (a == b).sum()
        entries += a.size
    print(
        f"  mixtures: {close / fitted:.2%} of {fitted} within 1e-3 relative in all parameters; "
        f"{same_missing / total:.2%} agree on whether there is a fit; calls from ours and from the "
        f"stored ones identical {same_calls / entries:.4%}"
    )

    groups = find_groups(values, observed.n_groups, seed=1)
    print(f"  groups: ARI to the original's {adjusted_rand_score(their_labels, groups.labels):.4f}")
    given, _ = impute_given(counts, Groups(labels, groups.coordinates))
    describe("given groups", given.round(2), theirs, counts)
    seconds = []
    for seed in (1, 2, 3):
        start = time.perf_counter()
        imputed = ScImpute().impute(observed, Context(seed=seed))
        seconds.append(time.perf_counter() - start)
        describe(f"own groups, seed {seed}", imputed.expression, theirs, counts)
    print(
        f"  seconds: original {ORIGINAL_SECONDS[name]}, ours {min(seconds):.2f} to "
        f"{max(seconds):.2f}"
    )


def describe(what: str, ours: np.ndarray, theirs: np.ndarray, counts: np.ndarray) -> None:
    changed = (np.abs(ours - counts) > 0.0051) == (np.abs(theirs - counts) > 0.0051)
    # Both are rounded to 0.01: values that small differ relatively by the rounding alone.
    near = np.abs(ours - theirs) <= np.maximum(0.01 * np.abs(theirs), 0.0101)
    print(
        f"  {what}: entries changed or not as in the original {changed.mean():.4%}; within 1e-2 "
        f"relative or one unit of rounding {near.mean():.4%}; relative Frobenius "
        f"{np.linalg.norm(ours - theirs) / np.linalg.norm(theirs):.1e}"
    )


if __name__ == "__main__":
    main()
