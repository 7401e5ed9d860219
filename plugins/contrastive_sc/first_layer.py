"""The first layer where nine tenths of its input are dropped: only what is kept is multiplied."""

from __future__ import annotations

from typing import Any

import numpy as np
from impbench_plugins.shared.compiled import njit

_OPTIONS = {"fastmath": True, "error_model": "numpy", "nogil": True}


@njit(**_OPTIONS)
def multiply_kept(kept: Any, cells: Any, gain: Any, weights: Any, out: Any) -> None:
    """Compute the layer's sums for every view, without its bias, into `out`.

    Parameters
    ----------
    kept
        (views · cells, genes) float32, 0 where a value is dropped; the views one below the other.
    cells
        (cells, genes) float32, without dropout.
    gain
        By which kept values are multiplied, float32.
    weights, out
        (genes, width) and (views · cells, width) float32.
    """
    n_cells, n_genes = cells.shape
    for row in range(kept.shape[0]):
        cell, total = cells[row % n_cells], out[row]
        total[:] = np.float32(0)
        for gene in range(n_genes):
            if kept[row, gene] != 0:
                value = gain * cell[gene]
                for unit in range(total.size):
                    total[unit] += value * weights[gene, unit]


@njit(**_OPTIONS)
def gradient_of_kept(kept: Any, cells: Any, gain: Any, by: Any, out: Any) -> None:
    """Compute the derivatives by the weights, (genes, width), into `out`.

    `by` are those by the layer's sums, (views · cells, width); the others as in `multiply_kept`.
    """
    n_cells, n_genes = cells.shape
    out[:] = np.float32(0)
    for row in range(kept.shape[0]):
        cell, given = cells[row % n_cells], by[row]
        for gene in range(n_genes):
            if kept[row, gene] != 0:
                value = gain * cell[gene]
                for unit in range(given.size):
                    out[gene, unit] += value * given[unit]
