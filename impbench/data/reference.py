"""What a file knows about its genes from other experiments: bulk expression, Gini coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from impbench.data.gene_facts import BULK, GINI
from impbench.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData


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
    columns = {**_bulk(data, where), **_gini(data, where)}
    return (
        pd.DataFrame(columns, index=data.var_names).reindex(list(genes))
        if columns
        else pd.DataFrame()
    )


def _bulk(data: AnnData, where: str) -> dict[str, NDArray[np.float64]]:
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
