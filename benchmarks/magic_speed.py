"""Our MAGIC beside magic-impute itself, on simulated cells.

Run ``python benchmarks/magic_speed.py --cells 10000 20000``. One core; the floor is what no form of
the method is without: the search's products in single precision, once, and the diffusion's.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

os.environ.update({f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")})

import magic
import numpy as np
import scipy.sparse as sp
from impbench_plugins.magic import Magic
from timing import timed

from impbench import Context, Observed
from impbench.registry import registry


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=[10000, 20000])
    parser.add_argument("--genes", type=int, default=1000)
    given = parser.parse_args()
    Magic().prepare(Context())
    for n in given.cells:
        data = registry().dataset(f"sim_equal[n_cells={n},n_genes={given.genes}]").load()
        observed = Observed.from_counts(data.counts)
        x = observed.lognorm
        floor, _ = timed(products, x)
        ours, imputed = timed(Magic().impute, observed, Context(seed=1))
        theirs, expected = timed(original, x)
        differs = np.linalg.norm(imputed.expression - expected) / np.linalg.norm(expected)
        print(
            f"{x.shape[0]} cells × {x.shape[1]} genes: floor {floor:.2f} s, ours {ours:.2f} s, "
            f"magic-impute {theirs:.2f} s, ratio {theirs / ours:.1f}, differ by {differs:.1e}",
            flush=True,
        )


def original(x: Any) -> Any:
    operator = magic.MAGIC(t=3, n_jobs=1, random_state=1, verbose=0)
    return operator.fit_transform(x)


def products(x: Any) -> None:
    """Multiply as the search of 15 neighbours on 100 components does, and three steps."""
    n = len(x)
    components = np.ascontiguousarray(x[:, :100])
    for start in range(0, n, 512):
        for first in range(0, n, 2048):
            components[start : start + 512] @ components[first : first + 2048].T
    rng = np.random.default_rng(0)
    places = rng.integers(0, n, 20 * n), np.arange(0, 20 * n + 1, 20)
    steps = sp.csr_matrix((np.full(20 * n, 0.05, x.dtype), *places), shape=(n, n))
    for _ in range(3):
        x = steps @ x


if __name__ == "__main__":
    main()
