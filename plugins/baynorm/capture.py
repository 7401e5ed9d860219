"""The share of its molecules that was caught in each cell, β (Tang et al. 2020)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench.errors import InputError

Floats = NDArray[np.float64]

MAD_TO_SD = 1.4826
MOST_DEVIATIONS = 3.0
MOST_ZEROS = 0.35


def from_totals(totals: Floats, mean_capture: float) -> Floats:
    """Return β, (cells,), in proportion to the cells' totals, with the mean that is assumed.

    An empty cell takes the smallest positive β of the others, and what reaches 1 the largest below.

    Raises
    ------
    InputError
        If no cell has a count, or none has a β below 1.
    """
    if not totals.any():
        raise InputError("baynorm: no cell has a count of the genes that β is estimated from")
    # In this order, its last bits are the original's.
    capture: Floats = totals / totals.mean() * mean_capture
    inside = (capture > 0) & (capture < 1)
    if not inside.any():
        raise InputError(
            f"baynorm: with a mean capture of {mean_capture:g}, every cell's is 1 or more; lower "
            "it with baynorm[mean_capture=...]"
        )
    capture[capture <= 0] = capture[inside].min()
    capture[capture >= 1] = capture[inside].max()
    return capture


def given(capture: float | tuple[float, ...], n_cells: int) -> Floats:
    """Return β as given, (cells,); one number stands for every cell.

    Raises
    ------
    InputError
        If there are neither one nor as many as cells, or one is not between 0 and 1.
    """
    values = np.array(capture if isinstance(capture, tuple) else [capture], dtype=np.float64)
    if len(values) not in (1, n_cells):
        raise InputError(
            f"baynorm: capture holds {len(values)} values for {n_cells} cells; give one for all, "
            "or one for each"
        )
    if not ((values > 0) & (values < 1)).all():
        raise InputError("baynorm: every value of capture must lie between 0 and 1, both excluded")
    return np.broadcast_to(values, (n_cells,)).copy()


def steady_genes(counts: NDArray[Any]) -> NDArray[np.bool_]:
    """Choose genes without outlying cells and with few zeros, (genes,); the original's `BetaFun`.

    Of ln(1 + count / library size · mean library size), the largest value lies less than three
    scaled median absolute deviations above the median; fewer than 35 % of the counts are 0.

    Parameters
    ----------
    counts
        (cells, genes).
    """
    totals = counts.sum(axis=1, dtype=np.float64)
    factors = np.where(totals > 0, totals.mean() / np.where(totals > 0, totals, 1.0), 0.0)
    chosen = np.zeros(counts.shape[1], dtype=bool)
    for gene in np.flatnonzero((counts == 0).mean(axis=0) < MOST_ZEROS):
        values = np.log1p(counts[:, gene] * factors)
        middle = np.median(values)
        deviation = MAD_TO_SD * np.median(np.abs(values - middle))
        chosen[gene] = values.max() < middle + MOST_DEVIATIONS * deviation
    return chosen
