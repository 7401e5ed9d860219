"""scImpute within one group of cells: which values are dropouts, and what to put there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from impbench_plugins.shared.dropout_mixture import (
    Floats,
    dropout_probabilities,
    fit_mixtures,
    valid_genes,
)
from numpy.typing import NDArray

from .nnls import nnls

FEW_VALID_GENES = 10
MOST_PREDICTORS = 500


def impute_group(
    values: Floats,
    coordinates: Floats,
    threshold: float,
    progress: Callable[[int], None] = lambda n_cells: None,
) -> tuple[Floats, NDArray[np.bool_]]:
    """Replace the likely dropouts of a group of cells by what the other cells of it predict.

    For each cell, the genes it shows reliably are regressed on those of the other cells, without
    intercept and with coefficients of at least 0 (Li and Li 2018, eq. 5); the coefficients then
    predict its doubtful genes, at most the gene's largest value in the group.

    Parameters
    ----------
    values
        (cells, genes) log10(CPM + 1.01).
    coordinates
        (cells, components) where near cells are near; used only where not all can be predictors.
    threshold
        Values with a larger dropout probability are doubtful.
    progress
        Called with the number of cells done.

    Returns
    -------
    (cells, genes) the values after imputation, and which of them were imputed.
    """
    result, imputed = values.copy(), np.zeros(values.shape, dtype=bool)
    n_cells = len(values)
    if n_cells <= 1:
        return result, imputed
    parameters = fit_mixtures(values)
    valid = np.flatnonzero(valid_genes(parameters))
    if len(valid) <= FEW_VALID_GENES:
        return result, imputed
    known = np.ascontiguousarray(values[:, valid])
    doubtful = dropout_probabilities(known, parameters[valid]) > threshold
    highest = known.max(axis=0)
    for cell in range(n_cells):
        genes = doubtful[cell]
        n_confident = int((~genes).sum())
        if n_confident < 2 or not genes.any():
            continue
        predictors = _predictors(cell, coordinates, n_confident)
        others = known[predictors]
        reliable = others[:, ~genes]
        coefficients = nnls(reliable @ reliable.T, reliable @ known[cell, ~genes])
        imputed[cell, valid[genes]] = True
        result[cell, valid[genes]] = np.minimum(coefficients @ others[:, genes], highest[genes])
        progress(cell + 1)
    return result, imputed


def _predictors(cell: int, coordinates: Floats, n_confident: int) -> NDArray[np.int64]:
    """Return the other cells, only the nearest where they outnumber the equations."""
    others = np.delete(np.arange(len(coordinates)), cell)
    most = MOST_PREDICTORS
    if min(len(others), most) >= n_confident:
        most = max(1, round(n_confident * 2 / 3))
    if len(others) <= most:
        return others
    distances = ((coordinates[others] - coordinates[cell]) ** 2).sum(axis=1)
    return np.sort(others[np.argsort(distances, kind="stable")[:most]])
