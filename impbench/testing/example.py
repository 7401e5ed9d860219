"""The small data that checks run on: three cell types, dropout, uneven library sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench.imputer import Observed

N_GROUPS = 3


def example_counts(n_cells: int = 60, n_genes: int = 40, *, depth: float = 8.0) -> NDArray[Any]:
    """Draw negative-binomial counts with dropout.

    Parameters
    ----------
    n_cells, n_genes
        At least 1 each.
    depth
        Mean count per entry before dropout.

    Returns
    -------
    (cells, genes) int64; every cell and every gene holds at least two different values. The same
    numbers every time.
    """
    rng = np.random.default_rng(20250721)
    group = np.arange(n_cells) % N_GROUPS
    base = rng.gamma(2.0, 0.5, n_genes)
    fold = np.exp(rng.normal(0, 0.8, (N_GROUPS, n_genes)))
    library = rng.lognormal(0, 0.35, n_cells)
    mean = depth * library[:, None] * base * fold[group]
    counts = rng.poisson(mean * rng.gamma(5.0, 0.2, mean.shape))
    # Dropout falls with the mean, as in the logistic curves of Splat.
    dropped = rng.random(mean.shape) < 1 / (1 + (mean / 2) ** 2)
    counts[dropped] = 0
    counts[np.arange(n_cells), np.arange(n_cells) % n_genes] += 1 + group
    return counts.astype(np.int64)


def observe(counts: Any, **given: Any) -> Observed:
    """Make the view of `counts` that checks use; the number of groups is given."""
    return Observed.from_counts(counts, **{"n_groups": N_GROUPS, **given})
