"""`ccimpute-bioc` against the stored results of ccImpute 1.8.0, step by step.

Run ``python benchmarks/parity_ccimpute_bioc.py REFERENCE``, where REFERENCE holds ``inputs`` and
``ccimpute_bioc18``. One core.
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
import scipy.sparse as sp
from impbench_plugins.ccimpute.bioc import CcImputeBioc
from impbench_plugins.ccimpute.consensus import Consensus
from impbench_plugins.ccimpute.neighbour_means import fill_with_means
from scipy.sparse.csgraph import breadth_first_order, connected_components

from impbench import Context, Observed

N_CLUSTERINGS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    reference = parser.parse_args().reference
    CcImputeBioc().prepare(Context())
    for name in ("small_rare", "small_batch", "small_celseq2"):
        compare(reference, name)


def compare(reference: Path, name: str) -> None:
    cells = anndata.read_h5ad(reference / "inputs" / f"{name}.h5ad")
    observed = Observed.from_counts(cells.X, n_groups=cells.obs["cell_type"].nunique())
    original = np.load(reference / "ccimpute_bioc18" / f"{name}.npz")
    stated = json.loads((reference / "ccimpute_bioc18" / f"{name}.json").read_text())
    theirs, mask = original["estimate_seed1"], original["dropout_mask_seed1"]
    print(f"{name}: {observed.n_cells} cells, {observed.n_genes} genes, k = {observed.n_groups}")

    consensus = consensus_of(original["consensus_seed1"].astype(np.float64))
    factors = observed.size_factors[:, None]
    expression = np.log2(1 + observed.dense_counts / factors)
    votes = consensus.votes(expression > 0)[consensus.profile]
    drawn = (votes == 0) & (expression == 0) & (consensus.totals > 0)[:, None]
    print(f"  zeros with a drawn vote: {drawn.sum()}, dropouts in the original {mask[drawn].sum()}")
    given, _ = fill_with_means(consensus, expression, as_original=True)
    describe("given its consensus", given, observed, mask, theirs)
    seconds = []
    for seeds in ("original", "independent"):
        for seed in (1, 2, 3):
            start = time.process_time()
            imputed = CcImputeBioc(seeds=seeds).impute(observed, Context(seed=seed))
            seconds.append(time.process_time() - start)
            what = f"own clusterings, seeds={seeds}, seed {seed}"
            describe(what, imputed.expression, observed, mask, theirs)
    print(
        f"  seconds: original {min(run['seconds'] for run in stated['seconds'])} to "
        f"{max(run['seconds'] for run in stated['seconds'])} (stated), ours {min(seconds):.2f} to "
        f"{max(seconds):.2f} (CPU)"
    )


def describe(
    what: str, ours: np.ndarray, observed: Observed, mask: np.ndarray, theirs: np.ndarray
) -> None:
    zero = observed.lognorm == 0
    called = (ours > 0) & zero
    differences = np.abs(ours.astype(np.float32) - theirs)
    print(
        f"  {what}: {called.sum()} dropouts (original {mask.sum()}), calls that differ "
        f"{(called != mask).sum()}; largest difference among zeros {differences[zero].max():.1e}, "
        f"of all entries {differences.max():.1e}"
    )


def consensus_of(weights: np.ndarray) -> Consensus:
    """Find the numbers of agreeing clusterings behind weights whose columns add up to 1.

    C_ij r_j = C_ji r_i, so along the neighbours of one cell all column sums r follow from its own;
    the largest agreement among connected cells is that of all clusterings.
    """
    agreement = np.zeros_like(weights)
    n_parts, part = connected_components(sp.csr_matrix(weights > 0))
    for number in range(n_parts):
        members = np.flatnonzero(part == number)
        inner = weights[np.ix_(members, members)]
        if len(members) > 1:
            order, before = breadth_first_order(sp.csr_matrix(inner), 0)
            sums = np.ones(len(members))
            for i in order[1:]:
                sums[i] = inner[i, before[i]] * sums[before[i]] / inner[before[i], i]
            inner = inner * sums
            agreement[np.ix_(members, members)] = np.rint(inner / inner.max() * N_CLUSTERINGS)
    np.fill_diagonal(agreement, N_CLUSTERINGS)
    n_cells = len(weights)
    return Consensus(np.arange(n_cells), sp.csr_matrix(agreement), np.ones(n_cells), N_CLUSTERINGS)


if __name__ == "__main__":
    main()
