"""Put imputed values on other scales than log2, to see whether an order of methods survives them.

Ahlmann-Eltze and Huber (2023, Nat. Methods 20:665) compare such transformations.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from impbench import large, scale
from impbench.imputer import Imputed, Observed

Transform = Literal["log", "log-cp10k", "sqrt"]

WORDS: dict[Transform, str] = {
    "log": "log2 values",
    "log-cp10k": "ln(1 + counts per 10 000)",
    "sqrt": "square roots of normalised counts",
}


def transformed(imputed: Imputed, observed: Observed, how: Transform) -> NDArray[np.float32]:
    """Return the imputation on another scale.

    Parameters
    ----------
    how
        ``log`` is the contract's, log2(1 + y) with y the counts over the size factor. ``log-cp10k``
        is ln(1 + 10⁴ y / m), m the median library size of the observed cells, so that the 1 weighs
        more in deep cells. ``sqrt`` is √y, whose variance is that of a constant for Poisson counts.

    Returns
    -------
    (cells, genes). Values below zero count as 0, but for ``log``, which leaves them.
    """
    if how == "log":
        return imputed.lognorm(observed)
    values = scale.normalise(imputed.counts(observed), observed.size_factors)
    factor, function = np.float32(1), np.log1p if how == "log-cp10k" else np.sqrt
    if how == "log-cp10k":
        sizes = scale.library_sizes(observed.counts)
        factor = np.float32(1e4 / np.median(sizes[sizes > 0]))
    for cells in large.some_rows(values):
        values[cells] *= factor
        function(values[cells], out=values[cells])
    return values
