"""Estimate the number of groups of cells: count the eigenvalues beyond what noise would give.

Patterson, Price and Reich (2006), Population structure and eigenanalysis, PLoS Genetics 2:e190,
after Johnstone (2001); SC3 (Kiselev et al. 2017) and ccImpute 1.8.0 take their number as that of
the groups.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

CRITICAL = 3.273
"""The Tracy-Widom distribution's value for p = 0.001."""


def tracy_widom_groups(lognorm: NDArray[Any]) -> int:
    """Count the eigenvalues of the cells' cross product that noise would exceed once in 1000 times.

    Each cell is an observed variable, standardised over the genes.

    Parameters
    ----------
    lognorm
        (cells, genes) logged values; at least 2 genes.
    """
    n_cells, n_genes = lognorm.shape
    values = lognorm.astype(np.float64)
    values -= values.mean(axis=1, keepdims=True)
    deviations = values.std(axis=1, ddof=1, keepdims=True)
    values /= np.where(deviations > 0, deviations, 1.0)
    # The smaller of the two products has the same eigenvalues above 0.
    product = values @ values.T if n_cells <= n_genes else values.T @ values
    genes, cells = np.sqrt(n_genes - 1), np.sqrt(n_cells)
    mean = (genes + cells) ** 2
    scale = (genes + cells) * (1 / genes + 1 / cells) ** (1 / 3)
    beyond = (CRITICAL * scale + mean, np.inf)
    return len(eigh(product, eigvals_only=True, subset_by_value=beyond))
