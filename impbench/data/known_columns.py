"""Columns of `Dataset.cells` and `Dataset.genes` that are known beforehand; without pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

MIXTURE = "mixture"
"""Key of `obsm` with the parts of every pure component."""

PROPORTION = "proportion_"
"""Start of the columns with proportions of pure components."""

TECHNICAL = "technical"
"""Column of `obs`, and of `Dataset.cells`, that is True for technical controls."""

BULK = "bulk"
"""Key of `varm`, and start of the columns of `Dataset.genes`, with bulk expression per type."""

GINI = "reference_gini"
"""Column of `var`, and of `Dataset.genes`, with Gini coefficients, such as from RNA FISH."""


def proportions(cells: pd.DataFrame) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Return the names of the pure components, and (cells, components) proportions of them.

    No names where the mixtures are not known.
    """
    columns = [str(name) for name in cells.columns if str(name).startswith(PROPORTION)]
    names = tuple(name.removeprefix(PROPORTION) for name in columns)
    return names, cells[columns].to_numpy(dtype=np.float64)


def technical(cells: pd.DataFrame) -> NDArray[np.bool_] | None:
    """Return which cells are technical controls, (cells,), or None where that is not known."""
    return cells[TECHNICAL].to_numpy(dtype=np.bool_) if TECHNICAL in cells else None


def bulk_profiles(genes: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Return the bulk columns of `Dataset.genes`, (genes,) each, by cell type."""
    start = f"{BULK}_"
    return {
        str(column).removeprefix(start): genes[column].to_numpy(dtype=np.float64)
        for column in genes.columns
        if str(column).startswith(start)
    }
