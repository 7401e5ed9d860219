"""Convert values between Python and R; runs in the process of R only.

To R: None → NULL; bool, int, float, str and 1-D arrays or lists of them → vectors; 2-D arrays and
`RMatrix` → matrices; sparse matrices → dgCMatrix; dicts → named lists. Integers beyond 32 bits
become doubles, which are exact up to 2^53. NaN stays NaN; masked entries of `numpy.ma` and None
among strings become NA.

To Python: vectors → 1-D arrays (names are dropped), factors → arrays of strings, matrices and
those of package Matrix → `RMatrix`, named lists and data frames → dicts, other lists → lists. NA is
NaN among numbers, where integers and logicals become float64 if they hold any, and None among
strings. Anything else is an `InputError`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rpy2.rinterface as ri
import scipy.sparse as sp
from numpy.typing import NDArray

from impbench.errors import InputError
from impbench.external.r.matrix import RMatrix

_LARGEST_INTEGER = 2**31 - 1
_LARGEST_EXACT = 2**53
_NA_INTEGER = -(2**31)
_NA_REAL = np.array([0x7FF00000000007A2], dtype=np.uint64).view(np.float64)[0]


def to_r(value: Any, where: str = "value") -> Any:
    """Return `value` as an R object.

    Raises
    ------
    InputError
        If R has no counterpart; `where` says which value.
    """
    if value is None:
        return ri.NULL
    if isinstance(value, Mapping):
        items = [to_r(item, f"{where} {key!r}") for key, item in value.items()]
        return _with(ri.ListSexpVector(items), names=_strings(list(value), where))
    if isinstance(value, RMatrix):
        return _matrix(value, where)
    if sp.issparse(value) or (isinstance(value, np.ndarray) and value.ndim == 2):
        return _matrix(RMatrix(value), where)
    if isinstance(value, str | Path):
        return _strings([str(value)], where)
    if isinstance(value, list | tuple) and all(isinstance(x, str | None) for x in value):
        return _strings(list(value), where)
    if isinstance(value, list | tuple) and any(isinstance(x, str) for x in value):
        raise InputError(f"{where} mixes text with other values, which no vector in R can hold")
    array = value if isinstance(value, np.ma.MaskedArray) else np.asarray(value)
    if array.ndim > 2:
        raise InputError(f"{where} has {array.ndim} dimensions; R gets vectors and matrices")
    return _vector(np.atleast_1d(array), where)


def _vector(array: NDArray[Any], where: str) -> Any:
    if array.dtype.kind in "UO" and all(isinstance(x, str | None) for x in array.tolist()):
        return _strings(array.tolist(), where)
    missing = np.ma.getmaskarray(array) if isinstance(array, np.ma.MaskedArray) else None
    array = np.ma.getdata(array)
    if array.dtype.kind == "b" or _fits_integer(array):
        kind = ri.BoolSexpVector if array.dtype.kind == "b" else ri.IntSexpVector
        numbers = array.astype(np.int32)
        if missing is not None:
            numbers[missing] = _NA_INTEGER
        return kind(numbers)
    if array.dtype.kind not in "iuf":
        raise InputError(f"{where} holds {array.dtype} values, which have no counterpart in R")
    if array.dtype.kind in "iu":
        for extreme in (int(array.max()), int(array.min())):
            if abs(extreme) > _LARGEST_EXACT:
                raise InputError(f"{where} holds {extreme}; R's numbers are exact up to 2^53 only")
    numbers = np.ascontiguousarray(array, dtype=np.float64)
    if missing is not None:
        numbers = numbers.copy()
        numbers[missing] = _NA_REAL
    return ri.FloatSexpVector(numbers)


def _fits_integer(array: NDArray[Any]) -> bool:
    if array.dtype.kind not in "iu":
        return False
    return not array.size or bool(
        array.max() <= _LARGEST_INTEGER and array.min() >= -_LARGEST_INTEGER
    )


_UNFIT = re.compile("[\0\ud800-\udfff]")


def _strings(texts: list[str | None], where: str) -> Any:
    for text in texts:
        if text is not None and _UNFIT.search(text):
            raise InputError(f"{where} holds {text!r}; R takes neither NUL nor half characters")
    return ri.StrSexpVector([ri.NA_Character if text is None else text for text in texts])


def _with(vector: Any, **attributes: Any) -> Any:
    for name, value in attributes.items():
        vector.do_slot_assign(name, value)
    return vector


def _matrix(matrix: RMatrix, where: str) -> Any:
    names = [
        ri.NULL if names is None else _strings(list(names), f"{where}'s names")
        for names in (matrix.rows, matrix.columns)
    ]
    shape = ri.IntSexpVector(list(matrix.values.shape))
    named = ri.ListSexpVector(names)
    if isinstance(matrix.values, sp.spmatrix | sp.sparray):
        sparse = sp.csc_matrix(matrix.values, copy=True)
        sparse.sum_duplicates()
        if sparse.nnz > _LARGEST_INTEGER:
            raise InputError(f"{where} holds {sparse.nnz} values; R's sparse matrices end at 2^31")
        return _new_sparse()(
            ri.IntSexpVector(sparse.indices.astype(np.int32)),
            ri.IntSexpVector(sparse.indptr.astype(np.int32)),
            ri.FloatSexpVector(sparse.data.astype(np.float64)),
            shape,
            named,
        )
    values = matrix.values
    flat = np.ma.ravel(values, "F") if isinstance(values, np.ma.MaskedArray) else values.ravel("F")
    vector = _with(_vector(flat, where), dim=shape)
    return vector if matrix.rows is matrix.columns is None else _with(vector, dimnames=named)


def _new_sparse() -> Any:
    return ri.evalr(
        "function(i, p, x, shape, names) methods::new(getClass('dgCMatrix', where = "
        "asNamespace('Matrix')), i = i, p = p, x = x, Dim = shape, Dimnames = names)"
    )


_PARTS = """
function(x) {
  if (!methods::is(x, "Matrix")) return(NULL)
  requireNamespace("Matrix")
  if (!methods::is(x, "sparseMatrix")) return(list(dense = as.matrix(x)))
  x <- methods::as(methods::as(methods::as(x, "dMatrix"), "generalMatrix"), "CsparseMatrix")
  list(i = x@i, p = x@p, x = x@x, shape = x@Dim, rows = x@Dimnames[[1]], columns = x@Dimnames[[2]])
}
"""


def to_python(value: Any, where: str = "value") -> Any:
    """Return an R object as Python's; errors as `to_r`."""
    if value is ri.NULL or isinstance(value, type(ri.NULL)):
        return None
    if value.typeof == ri.RTYPES.S4SXP:
        return _from_s4(value, where)
    attributes = {name: value.do_slot(name) for name in value.list_attrs()}
    if isinstance(value, ri.ListSexpVector):
        return _from_list(value, attributes, where)
    array = _numbers(value, attributes, where)
    shape = attributes.get("dim")
    if shape is None:
        return array
    array = array.reshape(tuple(shape), order="F")
    if array.ndim != 2:
        return array
    rows, columns = (
        None if names is ri.NULL else tuple(to_python(names).tolist())
        for names in attributes.get("dimnames", (ri.NULL, ri.NULL))
    )
    return RMatrix(array, rows, columns)


def _from_list(value: Any, attributes: Mapping[str, Any], where: str) -> Any:
    names = attributes.get("names")
    if names is None:
        return [to_python(item, f"{where}[[{i + 1}]]") for i, item in enumerate(value)]
    if len(set(names)) < len(names):
        raise InputError(f"{where} is a list that holds a name twice: {', '.join(names)}")
    return {
        name: to_python(item, f"{where}${name}") for name, item in zip(names, value, strict=True)
    }


def _from_s4(value: Any, where: str) -> RMatrix:
    parts = ri.evalr(_PARTS)(value)
    if parts is ri.NULL:
        raise InputError(
            f"{where} is an R object of class {value.rclass[0]}, which has no counterpart in "
            "Python; take it apart in R"
        )
    found = to_python(parts)
    if "dense" in found:
        dense: RMatrix = found["dense"]
        return dense
    sparse = sp.csc_matrix((found["x"], found["i"], found["p"]), shape=tuple(found["shape"]))
    rows, columns = (
        None if found[side] is None else tuple(found[side].tolist()) for side in ("rows", "columns")
    )
    return RMatrix(sparse, rows, columns)


def _numbers(value: Any, attributes: Mapping[str, Any], where: str) -> NDArray[Any]:
    classes = tuple(attributes.get("class", ()))
    if isinstance(value, ri.StrSexpVector):
        texts = [None if text is ri.NA_Character else text for text in value]
        return np.array(texts, dtype=object if None in texts else np.str_)
    if not isinstance(value, ri.BoolSexpVector | ri.IntSexpVector | ri.FloatSexpVector):
        raise InputError(
            f"{where} is an R object of type {ri.RTYPES(value.typeof).name}, which has no "
            "counterpart in Python; return vectors, matrices or lists"
        )
    kind = np.float64 if isinstance(value, ri.FloatSexpVector) else np.int32
    # A copy: the memory is R's. An empty one has no memory.
    array = np.array(value.memoryview()) if len(value) else np.empty(0, kind)
    if kind is np.float64:
        # bit64 keeps 64-bit integers in the bytes of doubles.
        return _with_nan(array.view(np.int64), -(2**63)) if "integer64" in classes else array
    if "factor" in classes:
        levels = np.array([None, *attributes["levels"]], dtype=object)
        texts = levels[np.where(array == _NA_INTEGER, 0, array)].tolist()
        return np.array(texts, dtype=object if None in texts else np.str_)
    array = _with_nan(array, _NA_INTEGER)
    is_logical = isinstance(value, ri.BoolSexpVector) and array.dtype.kind == "i"
    return array.astype(np.bool_) if is_logical else array


def _with_nan(array: NDArray[Any], missing: int) -> NDArray[Any]:
    """Return integers as they are, or as float64 if any is R's NA."""
    if not (array == missing).any():
        return array
    return np.where(array == missing, np.nan, array.astype(np.float64))
