"""Columns of `Dataset.genes` that come from other experiments; without pandas, for scoring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

BULK = "bulk"
"""Key of `varm`, and start of the columns of `Dataset.genes`, with bulk expression per type."""

GINI = "reference_gini"
"""Column of `var`, and of `Dataset.genes`, with Gini coefficients, such as from RNA FISH."""


def bulk_profiles(genes: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Return the bulk columns of `Dataset.genes`, (genes,) each, by cell type."""
    start = f"{BULK}_"
    return {
        str(column).removeprefix(start): genes[column].to_numpy(dtype=np.float64)
        for column in genes.columns
        if str(column).startswith(start)
    }
