"""What a file knows of its cells and genes besides counts.

Of cells how they were made: known mixtures, technical controls. Of genes what other experiments
say: bulk expression, Gini coefficients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from impbench.data.known_columns import BULK, GINI, MIXTURE, PROPORTION, TECHNICAL
from impbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
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
    import pandas as pd

    columns = {**_mixture(data, where), **_technical(data, where)}
    return pd.DataFrame(columns, index=data.obs_names) if columns else pd.DataFrame()


def _mixture(data: AnnData, where: str) -> dict[str, NDArray[np.float64]]:
    import pandas as pd

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


def read_reference(data: AnnData, genes: Sequence[str], where: str) -> pd.DataFrame:
    """Return the reference columns for `genes`; no columns where the file has none.

    Parameters
    ----------
    data
        ``varm["bulk"]``: a data frame, one column per cell type, named as the labels are, with
        expression on a linear scale (counts, CPM, TPM), all genes measured. ``var
        ["reference_gini"]``: numbers between 0 and 1, NaN for genes without one.
    genes
        Names, all or some of ``data.var_names``.
    where
        File, for messages.

    Returns
    -------
    One row per gene: ``bulk_TYPE``, the gene's share of the type's total over all genes of the
    file, and ``reference_gini``.

    Raises
    ------
    InputError
        If the bulk expression is no data frame or holds a negative or missing value, or a Gini
        coefficient lies outside 0 to 1.
    """
    import pandas as pd

    columns = {**_bulk(data, where), **_gini(data, where)}
    table = pd.DataFrame(columns, index=data.var_names)
    return table.reindex(list(genes)) if columns else pd.DataFrame()


def _bulk(data: AnnData, where: str) -> dict[str, NDArray[np.float64]]:
    import pandas as pd

    if BULK not in data.varm:
        return {}
    table = data.varm[BULK]
    if not isinstance(table, pd.DataFrame):
        raise InputError(
            f"{where}: varm['{BULK}'] is no data frame; its columns must name cell types: "
            f"adata.varm['{BULK}'] = pd.DataFrame(values, index=adata.var_names, columns=types)"
        )
    columns = {}
    for name in table.columns:
        values = pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=np.float64)
        bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
        if len(bad) or values.sum() == 0:
            which = f"gene {data.var_names[bad[0]]!r}" if len(bad) else "all genes are 0"
            raise InputError(
                f"{where}: varm['{BULK}'][{str(name)!r}] must hold numbers of 0 or more on a "
                f"linear scale ({which}); undo the log, and leave out genes not measured"
            )
        columns[f"{BULK}_{name}"] = values / values.sum()
    return columns


def _gini(data: AnnData, where: str) -> dict[str, NDArray[np.float64]]:
    import pandas as pd

    if GINI not in data.var:
        return {}
    values = pd.to_numeric(data.var[GINI], errors="coerce").to_numpy(dtype=np.float64)
    outside = np.flatnonzero((values < 0) | (values > 1))
    if len(outside):
        raise InputError(
            f"{where}: var['{GINI}'] is {values[outside[0]]:g} for gene "
            f"{data.var_names[outside[0]]!r}; a Gini coefficient lies between 0 and 1"
        )
    return {GINI: values}
