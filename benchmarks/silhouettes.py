"""Silhouette widths of three groupings at once, beside scikit-learn's of one after the other.

Run ``python benchmarks/silhouettes.py``, or with ``--cells 100000 --alone`` for ours by itself. One
core; the floor is the product of matrices that holds every distance once.
"""

from __future__ import annotations

import argparse
import os
import resource
from typing import Any

os.environ.update({f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")})

import numpy as np
from sklearn import config_context
from sklearn.metrics import silhouette_score
from timing import timed

from impbench.metrics.silhouette import CELLS_PER_TILE, silhouettes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=[5000, 20000])
    parser.add_argument("--components", type=int, default=50)
    parser.add_argument("--alone", action="store_true", help="without scikit-learn")
    given = parser.parse_args()
    for n in given.cells:
        points, groupings = made_up(n, given.components)
        floor, _ = timed(products, points)
        ours, found = timed(silhouettes, points, groupings)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        line = f"{n} cells: floor {floor:.2f} s, ours {ours:.2f} s, peak {peak:.2f} GB"
        if not given.alone:
            peer, expected = timed(by_scikit_learn, points, groupings)
            worst = np.abs(np.subtract(found, expected)).max()
            line += f", scikit-learn {peer:.2f} s, ratio {peer / ours:.1f}, differ by {worst:.0e}"
        print(line, flush=True)


def made_up(n: int, components: int) -> tuple[Any, list[Any]]:
    """Return six types, clusters that are types but for a tenth, and two batches."""
    rng = np.random.default_rng(0)
    types, batches = rng.integers(0, 6, n), rng.integers(0, 2, n)
    clusters = np.where(rng.random(n) < 0.1, rng.integers(0, 6, n), types)
    points = rng.normal(size=(6, components))[types] + rng.normal(size=(n, components))
    return points, [clusters, types, batches]


def products(points: Any) -> None:
    single = points.astype(np.float32)
    tiles = [single[i : i + CELLS_PER_TILE] for i in range(0, len(single), CELLS_PER_TILE)]
    for i, rows in enumerate(tiles):
        for columns in tiles[i:]:
            rows @ columns.T


def by_scikit_learn(points: Any, groupings: list[Any]) -> list[float]:
    with config_context(working_memory=128):
        return [silhouette_score(points, groups) for groups in groupings]


if __name__ == "__main__":
    main()
