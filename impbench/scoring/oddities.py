"""Note what is odd about an imputation's values, to be said beside its scores."""

from __future__ import annotations

import numpy as np

from impbench import large
from impbench.imputer import Imputed, Observed

IMPOSSIBLE = "impossible values"
"""How the note begins that is shown beside the score, not only on demand."""

TOO_LARGE = 5.0
"""Doublings above the data's largest value: 32 times what any cell expresses of any gene."""


def oddities(imputed: Imputed, observed: Observed, largest: float) -> tuple[str, ...]:
    """Return a sentence for each thing that no expression can be; empty where all is in order.

    An embedding may hold any values.

    Parameters
    ----------
    largest
        Largest observed value, log2 scale.
    """
    if imputed.expression is None:
        return ()
    logs = imputed.scale == "lognorm"
    n_negative, low, high = 0, 0.0, 0.0
    for rows in large.some_rows(imputed.expression):
        values = np.asarray(imputed.expression[rows])
        if not values.size:
            continue
        lowest = float(values.min())
        if lowest < 0:
            n_negative += int(np.count_nonzero(values < 0))
            low = min(low, lowest)
        tops = values.max(axis=1).astype(np.float64)
        if not logs:
            factors = observed.size_factors[rows]
            tops = np.log2(1 + np.maximum(tops, 0) / factors)
        high = max(high, float(tops.max()))
    found = []
    if high >= largest + TOO_LARGE:
        found.append(
            f"{IMPOSSIBLE}: the largest is {high:.4g} on the log2 scale, that of the data "
            f"{largest:.4g}"
        )
    if n_negative:
        percent = 100 * n_negative / (observed.n_cells * observed.n_genes)
        treated = "scored as they are" if logs else "clipped at 0 before scoring"
        found.append(f"{percent:.2g} % of the values are negative, down to {low:.3g}; {treated}")
    return tuple(found)
