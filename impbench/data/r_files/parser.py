"""rdata's parser of R's serialization, with the kinds of object that rdata 1.1.0 stops at.

Objects of before 2019 keep their assays in an environment that drags its class definition along:
byte code whose constants are functions, unbound values, raw bytes. ``findings/rdata.sh`` shows it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import psutil
from rdata.parser import RObject, RObjectInfo, RObjectType, parse_data
from rdata.parser._parser import BYTECODE_SPECIAL_SET, DEFAULT_ALTREP_MAP
from rdata.parser._xdr import ParserXDR

RAW, WEAK_REFERENCE, PACKAGE, BASE_NAMESPACE, UNBOUND = 24, 23, 248, 250, 252
"""Numbers of R's ``serialize.c``."""


def parse_r(content: bytes) -> Any:
    """Return the object in the unpacked content of an rds file, as a tree of ``RObject``.

    Raises
    ------
    Exception
        Whatever rdata stops with.
    """
    if not content.startswith(b"X\n"):
        return parse_data(content).object
    sequences = {b"compact_intseq": _sequence(np.int32), b"compact_realseq": _sequence(np.float64)}
    parser = _Parser(
        memoryview(content)[2:],
        expand_altrep=True,
        altrep_constructor_dict={**DEFAULT_ALTREP_MAP, **sequences},
    )
    item = parser.parse_all().object
    parser.check_complete()
    return item


class _Parser(ParserXDR):
    """Reads as R's ``ReadItem`` does, or ``ReadBCLang`` where a type is given."""

    def parse_R_object(
        self,
        reference_list: list[Any] | None = None,
        bytecode_rep_list: list[Any] | None = None,
        info_int: int | None = None,
    ) -> Any:
        references = [] if reference_list is None else reference_list
        if info_int is not None and RObjectType(info_int) in BYTECODE_SPECIAL_SET:
            return super().parse_R_object(references, bytecode_rep_list, info_int)
        # Any other constant of byte code is written as outside of byte code.
        flags = self.parse_int()
        kind, has_attributes = flags & 0xFF, bool(flags & 1 << 9)
        value: Any = None
        if kind == RAW:
            value = self.file.read(self.parse_int())
        elif kind == WEAK_REFERENCE:
            references.append(_item(None))
        elif kind == PACKAGE:
            self.parse_int()
            references.append(_item(self._parse_vector_value(references)))
            return references[-1]
        elif kind not in (BASE_NAMESPACE, UNBOUND):
            self.file.seek(-4, 1)
            return super().parse_R_object(references, None)
        if has_attributes and kind in (RAW, WEAK_REFERENCE):
            return _item(value, self.parse_R_object(references))
        return _item(value)


def _sequence(dtype: type[np.number[Any]]) -> Any:
    """What makes a sequence of its length, first number and step; a few bytes can claim any."""

    def made(state: Any) -> tuple[RObjectInfo, Any]:
        n, start, step = (float(value) for value in state.value)
        if not 0 <= n * np.dtype(dtype).itemsize <= psutil.virtual_memory().available:
            raise ValueError(f"it claims a sequence of {n:.6g} numbers")
        kind = RObjectType.INT if dtype is np.int32 else RObjectType.REAL
        values = (start + step * np.arange(int(n))).astype(dtype)
        return RObjectInfo(kind, False, False, False, 0, 0), values

    return made


def _item(value: Any, attributes: Any = None) -> Any:
    info = RObjectInfo(RObjectType.NILVALUE, False, attributes is not None, False, 0, 0)
    return RObject(info, value, attributes)
