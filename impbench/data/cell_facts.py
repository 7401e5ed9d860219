"""What a file knows about its cells from how they were made: known mixtures, technical controls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from impbench.data.cell_columns import MIXTURE, PROPORTION, TECHNICAL
from impbench.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData


def read_cell_facts(data: AnnData, where: str) -> pd.DataFrame:
    """Return the facts about the cells of `data`; no columns where the file has none.

    Parameters
    ----------
    data
        ``obsm["mixture"]``: a data frame, one column per pure component, with the parts of each
        that were put into the cell (well): numbers of 0 or more on any scale, such as numbers of
        cells or shares of RNA. ``obs["technical"]``: booleans, True for libraries that differ from
        others of their label by technical noise alone, such as one pool of RNA split many times.
    where
        File, for messages.

    Returns
    -------
    One row per cell: ``proportion_COMPONENT``, float64, which add up to 1, and ``technical``,
    boolean.

    Raises
    ------
    InputError
        If the mixture is no data frame of two components or more, a part is negative or missing, or
        a cell has no parts at all.
    """
    columns = {**_mixture(data, where), **_technical(data, where)}
    return pd.DataFrame(columns, index=data.obs_names) if columns else pd.DataFrame()


def _mixture(data: AnnData, where: str) -> dict[str, NDArray[np.float64]]:
    if MIXTURE not in data.obsm:
        return {}
    place = f"{where}: obsm[{MIXTURE!r}]"
    table = data.obsm[MIXTURE]
    if not isinstance(table, pd.DataFrame) or table.shape[1] < 2:
        raise InputError(
            f"{place} is no data frame with two columns or more; its columns must name the pure "
            f"components: adata.obsm[{MIXTURE!r}] = pd.DataFrame(parts, index=adata.obs_names, "
            "columns=components)"
        )
    parts = table.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    bad = ~(np.isfinite(parts) & (parts >= 0)).all(axis=1) | (parts.sum(axis=1) == 0)
    if bad.any():
        raise InputError(
            f"{place} must hold numbers of 0 or more, not all 0, for every cell; it does not for "
            f"{bad.sum()} cells (first {data.obs_names[bad.argmax()]!r}): leave these cells out"
        )
    shares = parts / parts.sum(axis=1, keepdims=True)
    return {f"{PROPORTION}{name}": shares[:, i] for i, name in enumerate(table.columns)}


def _technical(data: AnnData, where: str) -> dict[str, NDArray[np.bool_]]:
    # A column of that name which holds no booleans means something else.
    if TECHNICAL not in data.obs or data.obs[TECHNICAL].dtype != np.bool_:
        return {}
    return {TECHNICAL: data.obs[TECHNICAL].to_numpy(dtype=np.bool_)}
