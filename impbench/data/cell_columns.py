"""Columns of `Dataset.cells`: what is known of how each cell was made; without pandas."""

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
