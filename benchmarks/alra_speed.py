"""Our ALRA beside halra 0.1.0 (PyPI), on simulated cells, one core.

Run ``python benchmarks/alra_speed.py --halra FOLDER --cells 2000 10000``, where FOLDER is what
``pip install --no-deps --target FOLDER halra==0.1.0`` made. Both choose the rank and normalise.
halra's randomised SVD has 12 power iterations for the rank as well, where the published program
has 2, and normalises them by LU, not QR. The floor is the products of our two SVDs.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

os.environ.update({f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")})

import numpy as np
import scipy.sparse as sp
from impbench_plugins.alra import Alra
from impbench_plugins.alra.low_rank import OVERSAMPLES, POWER_FOR_RANK
from impbench_plugins.alra.scale import log_normalised
from timing import timed

from impbench import Context, Observed
from impbench.registry import registry


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--halra", required=True, help="folder in which halra is installed")
    parser.add_argument("--cells", type=int, nargs="+", default=[2000, 10000])
    parser.add_argument("--genes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3, help="of which the best counts")
    given = parser.parse_args()
    sys.path.append(given.halra)
    Alra().prepare(Context())
    for n in given.cells:
        data = registry().dataset(f"sim_equal[n_cells={n},n_genes={given.genes}]").load()
        compare(Observed.from_counts(data.counts), given.rounds)


def compare(observed: Observed, rounds: int) -> None:
    """Time both in turns; the best of each counts."""
    counts = sp.csr_matrix(observed.counts, dtype=np.float64)
    found = []
    for _ in range(rounds):
        theirs, (_, kept, _) = timed(original, counts)
        ours, imputed = timed(Alra().impute, observed, Context(seed=1))
        bound, _ = timed(products, log_normalised(observed.counts), imputed.info["k"])
        found.append((bound, ours, theirs))
    bound, ours, theirs = np.min(found, axis=0)
    print(
        f"{observed.n_cells} cells × {observed.n_genes} genes ({len(kept)} cells in halra): floor "
        f"{bound:.2f} s, halra {theirs:.2f} s, ours {ours:.2f} s, ratio {theirs / ours:.1f}",
        flush=True,
    )


def original(counts: sp.csr_matrix) -> Any:
    from halra import halra

    cells, genes = ([str(i) for i in range(n)] for n in counts.shape)
    return halra(counts, cells, genes, normalize=True, seed=1, verbose=False)


def products(values: np.ndarray, rank: int) -> None:
    for width, n_power in ((100, POWER_FOR_RANK), (rank, Alra().n_power)):
        block = np.ones((values.shape[1], width + OVERSAMPLES))
        for _ in range(n_power + 1):
            block = values.T @ (values @ block)
            block /= np.abs(block).max()


if __name__ == "__main__":
    main()
