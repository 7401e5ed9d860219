"""A table of cells or genes in an h5ad file, read without AnnData, which takes long to load."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

MISSING_CODE = -1
"""Code of a missing category."""


def read_table(group: Any, number: int) -> pd.DataFrame:
    """Read what can be read; a column of an unknown kind is left out.

    Parameters
    ----------
    group
        ``obs`` or ``var`` of an open file: a group since AnnData 0.7, one compound data set
        before. None if the file has none.
    number
        Rows it should have.

    Returns
    -------
    A row per cell or gene, named by its index, or 0, 1, 2, … if that is not there.
    """
    import h5py

    columns: dict[str, Any] = {}
    index = "index"
    if isinstance(group, h5py.Dataset):
        records = group[()]
        columns = {name: texts(records[name]) for name in records.dtype.names or ()}
    elif group is not None:
        index = group.attrs.get("_index", "_index")
        for name, item in group.items():
            if name != "__categories":
                columns[name] = _column(group, item)
    sound = {
        name: values
        for name, values in columns.items()
        if values is not None and len(values) == number
    }
    order = [] if group is None else list(map(str, texts(group.attrs.get("column-order", ()))))
    sound = {name: sound[name] for name in (*order, *sound) if name in sound}
    names = sound.pop(index, None)
    if names is None:
        names = map(str, range(number))
    return pd.DataFrame(sound, index=pd.Index([str(name) for name in names]))


def _column(group: Any, item: Any) -> Any:
    import h5py

    if isinstance(item, h5py.Group):
        if "categories" in item and "codes" in item:
            return _categories(item["codes"][()], item["categories"])
        if "values" in item and "mask" in item:
            values = pd.Series(texts(item["values"][()]), dtype=object)
            return values.mask(item["mask"][()]).infer_objects()
        return None
    if item.ndim != 1:
        return None
    stored = item.attrs.get("categories")
    if isinstance(stored, h5py.Reference):
        return _categories(item[()], group.file[stored])
    return texts(item[()])


def _categories(codes: Any, stored: Any) -> Any:
    categories = pd.Index(texts(stored[()]))
    codes = np.where((codes < 0) | (codes >= len(categories)), MISSING_CODE, codes)
    if not categories.is_unique:
        return None
    return pd.Categorical.from_codes(codes.astype(np.int64), categories)


def texts(values: Any) -> Any:
    """Return stored texts as Python's; other values stay as they are."""
    values = np.asarray(values)
    if values.dtype.kind not in "OS":
        return values
    return np.array(
        [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in values.tolist()],
        dtype=object,
    )
