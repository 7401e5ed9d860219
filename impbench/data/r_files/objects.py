"""Objects of R as rdata parses them: attributes, vectors, tables and matrices, without R.

rdata's own conversion is not used: it turns the whole tree into Python, and stops at whatever lies
deep in the metadata. Here only what is asked for is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd


def attributes(item: Any) -> dict[str, Any]:
    """Return the attributes of an object by name; for an S4 object these are its slots."""
    return dict(_pairs(item.attributes))


def class_of(item: Any) -> str:
    """Return the first class of an object, or its type where it has none."""
    named = attributes(item).get("class")
    found = strings(named) if named is not None else []
    return str(found[0]) if found else str(item.info.type.name)


def strings(item: Any) -> list[str | None]:
    """Return a character vector; NA is None."""
    return [_text(_followed(char)) for char in _vector(item)]


def numbers(item: Any) -> NDArray[Any]:
    """Return a numeric or logical vector; integers that are NA make it float64 with NaN."""
    values: Any = np.asanyarray(_followed(item).value)
    if class_of(item) == "integer64":
        # The package bit64 keeps whole numbers in the bytes of doubles, and NA as the least.
        whole = values.view(np.int64)
        return np.where(whole == -(2**63), np.nan, whole.astype(np.float64))
    if isinstance(values, np.ma.MaskedArray):
        values = np.where(values.mask, np.nan, values.data.astype(np.float64))
    return np.asarray(values)


def named_list(item: Any) -> dict[str, Any]:
    """Return a named list of objects."""
    names = attributes(item).get("names")
    keys = strings(names) if names is not None else []
    values = _vector(item)
    return {str(keys[i]) if i < len(keys) else f"[{i + 1}]": v for i, v in enumerate(values)}


def variables(item: Any) -> dict[str, Any]:
    """Return the variables of an environment."""
    value = _followed(item).value
    held = dict(_pairs(value.frame))
    for chain in _vector(value.hash_table):
        held |= dict(_pairs(chain))
    return held


def column(item: Any, length: int) -> list[Any] | NDArray[Any] | None:
    """Return one column of a table: text, numbers or a factor; None for what is neither.

    What R keeps as runs must have `length`: a few bytes can stand for any number of values.
    """
    held = attributes(item)
    if class_of(item) == "Rle":
        values, lengths = column(held["values"], length), numbers(held["lengths"])
        if values is None or lengths.sum() != length:
            return None
        return np.repeat(np.asarray(values), lengths)
    kind = _followed(item).info.type.name
    if kind == "STR":
        return strings(item)
    if kind not in ("INT", "REAL", "LGL"):
        return None
    values = numbers(item)
    if "levels" not in held:
        return values
    levels = strings(held["levels"])
    # R counts levels from 1; a missing value has none.
    codes = np.nan_to_num(values.astype(np.float64), nan=0).astype(int)
    return [levels[code - 1] if code > 0 else None for code in codes]


def table(item: Any, names: list[str]) -> pd.DataFrame:
    """Return a DataFrame of S4Vectors, or a data.frame, without columns that are no vectors."""
    import pandas as pd

    held = attributes(item)
    columns = named_list(held.get("listData", item))
    found = {key: column(value, len(names)) for key, value in columns.items()}
    sound = {k: v for k, v in found.items() if v is not None and len(v) == len(names)}
    return pd.DataFrame(sound, index=pd.Index(names, dtype=object))


def matrix(item: Any) -> tuple[Any, list[str] | None, list[str] | None] | None:
    """Return a matrix of numbers with the names of its rows and columns.

    Returns
    -------
    (rows, columns) SciPy or NumPy array and names or None; None where the object is no matrix of
    a class known here: base R's, those of the package Matrix, a data.frame, or one of these
    inside a DelayedMatrix on which nothing is yet to be computed.
    """
    held, kind = attributes(item), class_of(item)
    if kind == "DelayedMatrix" or kind == "DelayedArray":
        return matrix(held["seed"])
    if kind in ("data.frame", "DFrame", "DataFrame"):
        columns = named_list(held.get("listData", item))
        rows = held.get("row.names") or held.get("rownames")
        n_rows = int(numbers(held["nrows"])[0]) if "nrows" in held else 0
        vectors = [np.asarray(column(value, n_rows)) for value in columns.values()]
        if not vectors or not all(v.dtype.kind in "iufb" for v in vectors):
            return None
        return np.column_stack(vectors), _names(rows), list(columns)
    if "Dim" in held:
        values = _of_package_matrix(kind, held)
        rows, columns_ = _dimnames(held.get("Dimnames"))
    elif "dim" in held and _followed(item).info.type.name in ("INT", "REAL", "LGL"):
        shape = numbers(held["dim"])
        values = numbers(item).reshape(shape, order="F") if len(shape) == 2 else None
        rows, columns_ = _dimnames(held.get("dimnames"))
    else:
        return None
    return None if values is None else (values, rows, columns_)


def _of_package_matrix(kind: str, held: dict[str, Any]) -> Any:
    """A matrix of R's package Matrix: the letters are its kind of value, form and storage."""
    n_rows, n_columns = (int(n) for n in numbers(held["Dim"]))
    shape = (n_rows, n_columns)
    value, form, storage = kind[0], kind[1:2], kind[2:3]
    if form != "g" or storage not in "CRTe":
        return None
    parts = {key: numbers(held[key]) for key in ("i", "j", "p", "x") if key in held}
    if storage == "e":
        return parts["x"].reshape(shape, order="F")
    if value == "n":
        parts["x"] = np.ones(len(parts["i" if "i" in parts else "j"]))
    if storage == "C":
        return sp.csc_matrix((parts["x"], parts["i"], parts["p"]), shape=shape)
    if storage == "R":
        return sp.csr_matrix((parts["x"], parts["j"], parts["p"]), shape=shape)
    return sp.coo_matrix((parts["x"], (parts["i"], parts["j"])), shape=shape)


def _dimnames(item: Any) -> tuple[list[str] | None, list[str] | None]:
    if item is None or _followed(item).info.type.name != "VEC":
        return None, None
    rows, columns = _vector(item)[:2]
    return _names(rows), _names(columns)


def _names(item: Any) -> list[str] | None:
    """Names, or None for NULL and for the numbers that R gives rows without names."""
    if item is None or _followed(item).info.type.name != "STR":
        return None
    return [str(name) for name in strings(item)]


def _pairs(item: Any) -> Iterator[tuple[str, Any]]:
    """The pairs of a linked list."""
    while item is not None and item.info.type.name in ("LIST", "ATTRLIST"):
        value, rest = item.value
        yield str(_text(_followed(_followed(item.tag).value))), value
        item = rest


def _followed(item: Any) -> Any:
    while item.info.type.name == "REF":
        item = item.referenced_object
    return item


def _vector(item: Any) -> list[Any]:
    value = _followed(item).value
    return value if isinstance(value, list) else []


def _text(char: Any) -> str | None:
    if char.value is None:
        return None
    try:
        return str(char.value.decode("utf-8"))
    except UnicodeDecodeError:
        return str(char.value.decode("latin-1"))
