"""Squared error against the truth: over all entries, and over each kind of entry apart.

All arguments are (cells, genes) on the log2(1 + x) scale; sums are float64, in blocks of cells. A
score over no entries at all is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench.metrics.blocks import cell_blocks
from impbench.metrics.metric import metric

Values = NDArray[np.floating[Any]]


@metric(
    "mse",
    title="MSE",
    direction="min",
    unit="log2²",
    range=(0, math.inf),
    reference="MaskClass, section 2.8 (i)",
)
def mse(imputed: Values, truth: Values) -> float:
    """Mean squared error over all entries."""
    return _mean_square((x - true, None) for x, true in cell_blocks(imputed, truth))


@metric(
    "biozero-mse",
    title="Biozero MSE",
    direction="min",
    unit="log2²",
    range=(0, math.inf),
    reference="MaskClass, section 2.8 (i): entries with x* = 0",
)
def biozero_mse(imputed: Values, truth: Values) -> float:
    """Mean squared error over biozeros: entries whose truth is zero."""
    return _mean_square((x - true, true == 0) for x, true in cell_blocks(imputed, truth))


@metric(
    "dropout-mse",
    title="Dropout MSE",
    direction="min",
    unit="log2²",
    range=(0, math.inf),
    reference="MaskClass, section 2.8 (i): entries with x = 0 and x* > 0",
)
def dropout_mse(imputed: Values, truth: Values, observed: Values) -> float:
    """Mean squared error over dropouts: entries observed as zero whose truth is above zero."""
    return _mean_square(
        (x - true, (seen == 0) & (true > 0))
        for x, true, seen in cell_blocks(imputed, truth, observed)
    )


@metric(
    "nonzero-mse",
    title="Non-zero MSE",
    direction="min",
    unit="log2²",
    range=(0, math.inf),
    reference="MSE as in MaskClass, section 2.8 (i), over entries with x > 0",
)
def nonzero_mse(imputed: Values, truth: Values, observed: Values) -> float:
    """Mean squared error over entries observed above zero: what a method does to seen values."""
    return _mean_square(
        (x - true, seen > 0) for x, true, seen in cell_blocks(imputed, truth, observed)
    )


def _mean_square(
    errors: Iterable[tuple[NDArray[np.float64], NDArray[np.bool_] | None]],
) -> float:
    """Average over the entries that count, which are all where that is None."""
    total, n_entries = 0.0, 0
    for block, counts in errors:
        if counts is not None:
            # Several times faster than taking the entries out.
            block *= counts
        total += float(np.square(block, out=block).sum())
        n_entries += block.size if counts is None else int(np.count_nonzero(counts))
    return total / n_entries if n_entries else math.nan
