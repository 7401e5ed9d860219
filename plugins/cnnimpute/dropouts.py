"""Which values cnnImpute takes for dropouts: scImpute's mixture in each group of cells."""

from __future__ import annotations

from typing import Any

import numpy as np
from impbench_plugins.shared.dropout_mixture import (
    dropout_probabilities,
    fit_mixtures,
    log_cpm,
    valid_genes,
)
from numpy.typing import NDArray


def dropout_matrix(counts: NDArray[Any], labels: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return each value's probability of being a dropout (eq. 1 and 2), (cells, genes).

    It is 0 for a gene whose mixture in the cell's group was not fitted, or does not separate
    dropouts from expression.

    Parameters
    ----------
    counts
        (cells, genes), no cell empty.
    labels
        (cells,) groups from 0.
    """
    values = log_cpm(counts)
    probabilities = np.zeros(values.shape)
    for label in range(int(labels.max()) + 1):
        cells = np.flatnonzero(labels == label)
        if len(cells) < 2:
            continue
        group = values[cells]
        parameters = fit_mixtures(group)
        genes = np.flatnonzero(valid_genes(parameters))
        known = np.ascontiguousarray(group[:, genes])
        probabilities[np.ix_(cells, genes)] = dropout_probabilities(known, parameters[genes])
    return probabilities
