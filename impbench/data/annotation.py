"""Cell types and batches out of a table of cells, or a plain statement of why they are unusable."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from impbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

MISSING = frozenset(["", "nan", "NaN", "NAN", "NA", "N/A", "<NA>", "None", "NULL", "null", "NaT"])
"""What missing values become when a table is turned to text; no cell type is called so."""

UNSURE = frozenset(
    [
        *("unknown", "unassigned", "unclassified", "undefined", "unidentified", "undetermined"),
        *("unlabeled", "unlabelled", "ambiguous", "doublet", "doublets"),
    ]
)
"""Labels, in lower case, that say that the type is not known: they stay, but are said."""


def read_labels(
    obs: pd.DataFrame, key: str, where: str, drop: Sequence[str] = ()
) -> tuple[NDArray[np.str_], tuple[str, ...]]:
    """Return the cell types in ``obs[key]``; cells without one get an empty text.

    Parameters
    ----------
    obs
        One row per cell.
    key
        Column.
    where
        File, for messages.
    drop
        Labels that stand for no cell type, such as ``unknown``.

    Returns
    -------
    (cells,) texts, and notes: which texts were taken for missing labels, and which labels that
    sound like none are kept.

    Raises
    ------
    InputError
        If there is no such column, it names no or only one cell type, it holds a measurement
        or a name for each cell rather than cell types, or none of `drop`.
    """
    import pandas as pd

    column = _column(obs, key, where, "--label-key")
    labels, notes = _present(column, f"obs[{key!r}]")
    for name in drop:
        if name not in labels:
            near = difflib.get_close_matches(name, map(str, np.unique(labels)), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InputError(f"{where}: obs[{key!r}] has no label {name!r} to leave out{hint}")
        notes.append(f"took {_cells(labels == name)} with obs[{key!r}] {name!r} as without a label")
        labels[labels == name] = ""
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
    for name in found:
        if name.lower() in UNSURE:
            notes.append(
                f"{_cells(labels == name)} with obs[{key!r}] {str(name)!r} count as a cell type; "
                f"--drop-label {str(name)!r} leaves them out"
            )
    return labels, tuple(notes)


def read_batch(obs: pd.DataFrame, key: str, where: str) -> NDArray[np.str_]:
    """Return the batches in ``obs[key]``, (cells,) texts.

    Raises
    ------
    InputError
        If there is no such column or a cell has no batch.
    """
    batch, _ = _present(_column(obs, key, where, "--batch-key"), f"obs[{key!r}]")
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


def _present(column: pd.Series, where: str) -> tuple[NDArray[np.str_], list[str]]:
    """Texts, empty where missing or the text of a missing value, which is noted."""
    texts = _texts(column)
    notes = []
    for name in map(str, np.unique(texts)):
        if name and name in MISSING:
            notes.append(f"took the text {name!r} in {where} of {_cells(texts == name)} as missing")
            texts[texts == name] = ""
    return texts, notes


def _cells(chosen: NDArray[np.bool_]) -> str:
    number = int(chosen.sum())
    return "1 cell" if number == 1 else f"{number} cells"


def _texts(column: pd.Series) -> NDArray[np.str_]:
    import pandas as pd

    missing = column.isna().to_numpy()
    if pd.api.types.is_float_dtype(column) and _whole(column):
        column = column.astype("Int64")
    texts = np.array([str(value).strip() for value in column], dtype=np.str_)
    texts[missing] = ""
    return texts


def _whole(column: pd.Series) -> bool:
    values = column.dropna().to_numpy(dtype=np.float64)
    return bool(np.all(values == np.rint(values)))
