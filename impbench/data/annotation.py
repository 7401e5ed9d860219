"""Cell types and batches out of a table of cells, or a plain statement of why they are unusable."""

from __future__ import annotations

import difflib

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from impbench.errors import InputError


def read_labels(obs: pd.DataFrame, key: str, where: str) -> NDArray[np.str_]:
    """Return the cell types in ``obs[key]``; cells without one get an empty text.

    Parameters
    ----------
    obs
        One row per cell.
    key
        Column.
    where
        File, for messages.

    Returns
    -------
    (cells,) texts.

    Raises
    ------
    InputError
        If there is no such column, it names no or only one cell type, or it holds a measurement
        or a name for each cell rather than cell types.
    """
    column = _column(obs, key, where, "--label-key")
    labels = _texts(column)
    found = np.unique(labels[labels != ""])
    if len(found) == 0:
        raise InputError(f"{where}: obs[{key!r}] names no cell type: all its values are missing")
    if len(found) == 1:
        raise InputError(
            f"{where}: obs[{key!r}] holds a single cell type ({str(found[0])!r}); metrics on "
            "labels need two or more: choose another --label-key, or leave it out"
        )
    numeric = pd.api.types.is_float_dtype(column) and not _whole(column)
    if numeric or (len(found) > 2 and 2 * len(found) > len(labels)):
        raise InputError(
            f"{where}: obs[{key!r}] has {len(found)} different values for {len(labels)} cells "
            f"(such as {str(found[0])!r}): this is no column of cell types; "
            f"columns: {_offer(obs)}"
        )
    return labels


def read_batch(obs: pd.DataFrame, key: str, where: str) -> NDArray[np.str_]:
    """Return the batches in ``obs[key]``, (cells,) texts.

    Raises
    ------
    InputError
        If there is no such column or a cell has no batch.
    """
    batch = _texts(_column(obs, key, where, "--batch-key"))
    missing = np.flatnonzero(batch == "")
    if len(missing):
        raise InputError(
            f"{where}: obs[{key!r}] is missing for {len(missing)} cells "
            f"(first: {str(obs.index[missing[0]])!r}); every cell needs a batch"
        )
    return batch


def _column(obs: pd.DataFrame, key: str, where: str, option: str) -> pd.Series:
    if key in obs.columns:
        return obs[key]
    if not len(obs.columns):
        raise InputError(
            f"{where} says nothing about its cells, so {option} {key} cannot be found; "
            "store the counts as h5ad with that column in obs"
        )
    near = difflib.get_close_matches(key, list(map(str, obs.columns)), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise InputError(f"{where}: obs has no column {key!r}; {hint}columns: {_offer(obs)}")


def _offer(obs: pd.DataFrame) -> str:
    return ", ".join(map(str, obs.columns))


def _texts(column: pd.Series) -> NDArray[np.str_]:
    missing = column.isna().to_numpy()
    if pd.api.types.is_float_dtype(column) and _whole(column):
        column = column.astype("Int64")
    texts = np.array([str(value).strip() for value in column], dtype=np.str_)
    texts[missing] = ""
    return texts


def _whole(column: pd.Series) -> bool:
    values = column.dropna().to_numpy(dtype=np.float64)
    return bool(np.all(values == np.rint(values)))
