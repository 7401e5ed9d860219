"""Weighted sums of matrix rows, kept in vector registers: the one primitive of the fast engine.

Every product in MaskClass is a sum of rows: a layer's output is a sum of its weights' rows, a
weight's gradient a sum of activations. numba alone writes the running sum back to memory at every
step, which makes these loops about twice as slow (measured), so their core is LLVM code:
a tile of the result is loaded, n weighted rows are added to it, and it is stored again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from impbench_plugins.shared.compiled import njit_unkept
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

LANES = 16
"""Widths of matrices are multiples of this; narrower layers are padded with zeros."""

jit = njit_unkept(fastmath=True, error_model="numpy", nogil=True)
inlined = njit_unkept(fastmath=True, error_model="numpy", nogil=True, forceinline=True)


def aligned_zeros(*shape: int) -> NDArray[np.float32]:
    """Allocate float32 zeros at the start of a cache line, so that no vector straddles two."""
    size = int(np.prod(shape))
    memory = np.zeros(size + LANES, dtype=np.float32)
    start = -(memory.ctypes.data // 4) % LANES
    return memory[start : start + size].reshape(shape)


@jit
def matmul(m: int, n: int, a: Any, b: Any, start: Any, c: Any) -> None:
    """c[:m] = start + a[:m, :n] @ b[:n]; `a` is any view, rows of the others `LANES` times some."""
    i = 0
    while i < m:
        tall = i + 8 <= m
        j = 0
        while j < c.shape[1]:
            wide = j + 32 <= c.shape[1]
            if tall and wide:
                _sum_rows(8, 32, 0, n, a, i, b, b, start, 0, j, c, i)
            elif tall:
                _sum_rows(8, 16, 0, n, a, i, b, b, start, 0, j, c, i)
            elif wide:
                _sum_rows(1, 32, 0, n, a, i, b, b, start, 0, j, c, i)
            else:
                _sum_rows(1, 16, 0, n, a, i, b, b, start, 0, j, c, i)
            j += 32 if wide else 16
        i += 8 if tall else 1


@inlined
def add_weighted_rows(
    weights: Any, rows: Any, k: int, first: int, last: int, matrix: Any, out: Any, i: int
) -> None:
    """out[i] += Σₑ weights[k, e] · matrix[rows[k, e]], first ≤ e < last; `rows` is int32."""
    j = 0
    while j < out.shape[1]:
        if j + 64 <= out.shape[1]:
            _sum_rows(1, 64, first, last, weights, k, rows, matrix, out, i, j, out, i)
            j += 64
        else:
            _sum_rows(1, 16, first, last, weights, k, rows, matrix, out, i, j, out, i)
            j += 16


@inlined
def add_to_rows(
    weights: Any, rows: Any, k: int, first: int, last: int, x: Any, i: int, out: Any
) -> None:
    """out[rows[k, e]] += weights[k, e] · x[i] for first ≤ e < last; `rows` is int32."""
    j = 0
    while j < out.shape[1]:
        if j + 64 <= out.shape[1]:
            _add_to_rows(64, first, last, weights, k, rows, x, i, j, out)
            j += 64
        else:
            _add_to_rows(16, first, last, weights, k, rows, x, i, j, out)
            j += 16


@inlined
def dot(a: Any, i: int, b: Any, k: int) -> Any:
    """Return a[i] · b[k]; the rows are a multiple of `LANES` long."""
    total, j = np.float32(0), 0
    while j < a.shape[1]:
        if j + 64 <= a.shape[1]:
            total += _dot(64, a, i, b, k, j)
            j += 64
        else:
            total += _dot(16, a, i, b, k, j)
            j += 16
    return total


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(typing: Any, matrix: Any, row: Any, column: Any) -> Any:
    """Ask for the cache line that holds an element of a 4-byte array, and wait for nothing.

    `row` is ignored for an array of one dimension. An address beyond the array does no harm.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, row_, column_ = (
            _unpacked(context, builder, kind, value)
            for kind, value in zip(signature.args, arguments, strict=True)
        )
        place = _address(builder, matrix, array, row_, column_, ir.IntType(8))
        kind = ir.FunctionType(ir.VoidType(), [place.type, _I32, _I32, _I32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        # For reading, into the second cache and beyond, as data.
        builder.call(function, [place, _I32(0), _I32(2), _I32(1)])
        return context.get_dummy_value()

    return types.void(matrix, row, column), codegen


@intrinsic  # type: ignore[untyped-decorator]
def _sum_rows(
    typing: Any, height: Any, width: Any, first: Any, last: Any, a: Any, i: Any, rows: Any, b: Any,
    start: Any, s: Any, j: Any, c: Any, k: Any,
) -> Any:  # fmt: skip
    """c[k + r, j + l] = start[s, j + l] + Σₑ a[i + r, e] · b[row(e), j + l], r < height, l < width.

    e runs from first to before last; row(e) is rows[i, e] if `rows` is int32, else e. Height and
    width are literals.
    """
    if not isinstance(height, types.IntegerLiteral) or not isinstance(width, types.IntegerLiteral):
        return None
    gather = rows.dtype == types.int32
    n_rows, n_vectors = height.literal_value, width.literal_value // LANES

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first_, last_, a_, i_, rows_, b_, start_, s_, j_, c_, k_ = (
            _unpacked(context, builder, kind, value)
            for kind, value in zip(signature.args[2:], arguments[2:], strict=True)
        )
        columns = [builder.add(j_, _I64(v * LANES)) for v in range(n_vectors)]
        initial = [
            builder.load(_address(builder, start, start_, s_, column, _VECTOR), align=4)
            for column in columns
        ] * n_rows

        def add(e: Any, sums: list[Any]) -> list[Any]:
            row = e
            if gather:
                row = builder.load(_address(builder, rows, rows_, i_, e, _I32))
                row = builder.sext(row, _I64)
            b_row = [
                builder.load(_address(builder, b, b_, row, column, _VECTOR), align=4)
                for column in columns
            ]
            added = []
            for r in range(n_rows):
                place = _address(builder, a, a_, builder.add(i_, _I64(r)), e, _F32)
                weight = _spread(builder, builder.load(place))
                for v in range(n_vectors):
                    added.append(_fused(builder, weight, b_row[v], sums[r * n_vectors + v]))
            return added

        sums = iter(_loop(builder, first_, last_, initial, add))
        for r in range(n_rows):
            for column in columns:
                place = _address(builder, c, c_, builder.add(k_, _I64(r)), column, _VECTOR)
                builder.store(next(sums), place, align=4)
        return context.get_dummy_value()

    kinds = (height, width, first, last, a, i, rows, b, start, s, j, c, k)
    return types.void(*kinds), codegen


@intrinsic  # type: ignore[untyped-decorator]
def _add_to_rows(
    typing: Any, width: Any, first: Any, last: Any, a: Any, k: Any, rows: Any, x: Any, i: Any,
    j: Any, c: Any,
) -> Any:  # fmt: skip
    """c[rows[k, e], j + l] += a[k, e] · x[i, j + l], first ≤ e < last, l < width, a literal."""
    if not isinstance(width, types.IntegerLiteral):
        return None

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first_, last_, a_, k_, rows_, x_, i_, j_, c_ = (
            _unpacked(context, builder, kind, value)
            for kind, value in zip(signature.args[1:], arguments[1:], strict=True)
        )
        columns = [builder.add(j_, _I64(v)) for v in range(0, width.literal_value, LANES)]
        x_row = [
            builder.load(_address(builder, x, x_, i_, column, _VECTOR), align=4)
            for column in columns
        ]

        def add(e: Any, nothing: list[Any]) -> list[Any]:
            row = builder.sext(builder.load(_address(builder, rows, rows_, k_, e, _I32)), _I64)
            weight = _spread(builder, builder.load(_address(builder, a, a_, k_, e, _F32)))
            places = [_address(builder, c, c_, row, column, _VECTOR) for column in columns]
            for place, value in zip(places, x_row, strict=True):
                total = _fused(builder, weight, value, builder.load(place, align=4))
                builder.store(total, place, align=4)
            return nothing

        _loop(builder, first_, last_, [], add)
        return context.get_dummy_value()

    return types.void(width, first, last, a, k, rows, x, i, j, c), codegen


@intrinsic  # type: ignore[untyped-decorator]
def _dot(typing: Any, width: Any, a: Any, i: Any, b: Any, k: Any, j: Any) -> Any:
    """Σₗ a[i, j + l] · b[k, j + l], l < width, a literal."""
    if not isinstance(width, types.IntegerLiteral):
        return None

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a_, i_, b_, k_, j_ = (
            _unpacked(context, builder, kind, value)
            for kind, value in zip(signature.args[1:], arguments[1:], strict=True)
        )
        total = ir.Constant(_VECTOR, [0.0] * LANES)
        for v in range(0, width.literal_value, LANES):
            column = builder.add(j_, _I64(v))
            left, right = (
                builder.load(_address(builder, kind, array, row, column, _VECTOR), align=4)
                for kind, array, row in ((a, a_, i_), (b, b_, k_))
            )
            total = _fused(builder, left, right, total)
        kind = ir.FunctionType(_F32, [_F32, _VECTOR])
        name = f"llvm.vector.reduce.fadd.v{LANES}f32"
        reduce = cgutils.get_or_insert_function(builder.module, kind, name)
        return builder.call(reduce, [_F32(0.0), total], fastmath=("fast",))

    return types.float32(width, a, i, b, k, j), codegen


_I32, _I64, _F32 = ir.IntType(32), ir.IntType(64), ir.FloatType()
_VECTOR = ir.VectorType(_F32, LANES)


def _loop(builder: Any, first: Any, last: Any, initial: list[Any], body: Any) -> list[Any]:
    """Emit a loop over first ≤ e < last; `body` maps e and the running values to new ones."""
    before = builder.block
    head, inside, after = (builder.append_basic_block(name) for name in ("head", "body", "after"))
    builder.branch(head)
    builder.position_at_end(head)
    e = builder.phi(_I64)
    e.add_incoming(first, before)
    values = [builder.phi(value.type) for value in initial]
    for value, given in zip(values, initial, strict=True):
        value.add_incoming(given, before)
    builder.cbranch(builder.icmp_signed("<", e, last), inside, after)
    builder.position_at_end(inside)
    updated = body(e, values)
    e.add_incoming(builder.add(e, _I64(1)), builder.block)
    for value, new in zip(values, updated, strict=True):
        value.add_incoming(new, builder.block)
    builder.branch(head)
    builder.position_at_end(after)
    return values


def _fused(builder: Any, x: Any, y: Any, z: Any) -> Any:
    """Emit x · y + z, one instruction where the processor has it."""
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{LANES}f32")
    return builder.call(function, [x, y, z])


def _spread(builder: Any, value: Any) -> Any:
    """Emit a vector with `value` in every lane."""
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, value, _I32(0))
    zeros = ir.Constant(ir.VectorType(_I32, LANES), [0] * LANES)
    return builder.shuffle_vector(first, undefined, zeros)


def _unpacked(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """Return an integer as intp, an array as the structure that holds its address and strides."""
    if isinstance(kind, types.Integer):
        return context.cast(builder, value, kind, types.intp)
    return context.make_array(kind)(context, builder, value)


def _address(builder: Any, kind: Any, array: Any, row: Any, column: Any, element: Any) -> Any:
    """Emit the place of an element, or of the vector that begins there; elements are 4 bytes."""
    strides = cgutils.unpack_tuple(builder, array.strides)
    step = _I64(4) if kind.layout == "C" else strides[-1]
    offset = builder.mul(column, step)
    if kind.ndim == 2:
        offset = builder.add(offset, builder.mul(row, strides[0]))
    start = builder.bitcast(array.data, ir.IntType(8).as_pointer())
    return builder.bitcast(builder.gep(start, [offset]), element.as_pointer())
