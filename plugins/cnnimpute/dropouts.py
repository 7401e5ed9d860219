"""Which values cnnImpute takes for dropouts: scImpute's mixture in each group of cells."""

from __future__ import annotations

import numpy as np
from impbench_plugins.shared.dropout_mixture import (
    dropout_probabilities,
    fit_mixtures,
    valid_genes,
)
from numpy.typing import NDArray

LIKELY, DENIED = 0.5, 0.4
"""In the program a non-zero likelier than the first to be a dropout gets the second instead."""


def cluster_dropouts(
    values: NDArray[np.float64], nonzero: NDArray[np.bool_], *, spare_nonzeros: bool
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the genes with a mixture, and each value's probability of being a dropout.

    Equations 1 and 2 of the paper.

    Parameters
    ----------
    values
        (cells, genes) log10(CPM + 1.01) of one group of cells.
    nonzero
        (cells, genes), which were counted.
    spare_nonzeros
        Whether counted values are never taken for likely dropouts, as in the program.

    Returns
    -------
    Indices of the genes whose mixture was fitted and separates dropouts from expression, and the
    probabilities, (cells, these genes).
    """
    parameters = fit_mixtures(values)
    genes = np.flatnonzero(valid_genes(parameters))
    probabilities = np.asarray(
        dropout_probabilities(np.ascontiguousarray(values[:, genes]), parameters[genes])
    )
    if spare_nonzeros:
        probabilities[nonzero[:, genes] & (probabilities > LIKELY)] = DENIED
    return genes, probabilities
