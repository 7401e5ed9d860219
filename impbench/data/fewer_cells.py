"""Draw fewer cells of a dataset, each type in its proportion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FEWEST = 3
"""Cells that every type keeps, where it has as many: tests and silhouettes need more than one."""


def draw_cells(
    labels: NDArray[np.str_] | None, n_cells: int, most: int, seed: int = 1
) -> NDArray[np.int64]:
    """Return the places of `most` cells of `n_cells`, ascending; of all, where there are no more.

    Each type keeps its share of the cells, rounded by largest remainder, but at least `FEWEST`
    cells or all that it has; the most common types give those.

    Parameters
    ----------
    labels
        (n_cells,) cell types, or None: cells are drawn evenly.
    """
    if n_cells <= most:
        return np.arange(n_cells)
    rng = np.random.default_rng(seed)
    if labels is None:
        return np.sort(rng.choice(n_cells, most, replace=False))
    types, which = np.unique(labels, return_inverse=True)
    sizes = np.bincount(which)
    share = sizes * most / n_cells
    kept = np.floor(share).astype(np.int64)
    kept[np.argsort(kept - share, kind="stable")[: most - kept.sum()]] += 1
    kept = np.maximum(kept, np.minimum(sizes, FEWEST))
    while kept.sum() > most and kept.max() > FEWEST:
        kept[kept.argmax()] -= 1
    chosen = [
        rng.choice(np.flatnonzero(which == i), kept[i], replace=False) for i in range(len(types))
    ]
    return np.sort(np.concatenate(chosen))
