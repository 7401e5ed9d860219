"""Weighted sums of matrix rows, kept in vector registers: the one primitive of the fast engine.

Every product in MaskClass is a sum of rows: a layer's output is a sum of its weights' rows, a
weight's gradient a sum of activations. numba alone writes the running sum back to memory at every
step, which makes these loops about twice as slow (measured), so their core is LLVM code:
a tile of the result is loaded, n weighted rows are added to it, and it is stored again.
"""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 16
"""Widths of matrices are multiples of this; narrower layers are padded with zeros."""

jit = numba.njit(fastmath=True, error_model="numpy", nogil=True)
inlined = numba.njit(fastmath=True, error_model="numpy", nogil=True, forceinline=True)


@jit
def add_matmul(m: int, n: int, a: Any, b: Any, c: Any) -> None:
    """c[:m] += a[:m, :n] @ b[:n]; `a` is any view, rows of `b` and `c` are multiples of `LANES`."""
    i = 0
    while i < m:
        tall = i + 8 <= m
        j = 0
        while j < c.shape[1]:
            wide = j + 32 <= c.shape[1]
            if tall and wide:
                _add_rows(8, 32, n, a, i, b, b, j, c, i)
            elif tall:
                _add_rows(8, 16, n, a, i, b, b, j, c, i)
            elif wide:
                _add_rows(1, 32, n, a, i, b, b, j, c, i)
            else:
                _add_rows(1, 16, n, a, i, b, b, j, c, i)
            j += 32 if wide else 16
        i += 8 if tall else 1


@inlined
def add_weighted_rows(
    weights: Any, rows: Any, k: int, n: int, matrix: Any, out: Any, i: int
) -> None:
    """out[i] += Σₑ weights[k, e] · matrix[rows[k, e]], e < n; `rows` is int32."""
    j = 0
    while j < out.shape[1]:
        if j + 64 <= out.shape[1]:
            _add_rows(1, 64, n, weights, k, rows, matrix, j, out, i)
            j += 64
        elif j + 32 <= out.shape[1]:
            _add_rows(1, 32, n, weights, k, rows, matrix, j, out, i)
            j += 32
        else:
            _add_rows(1, 16, n, weights, k, rows, matrix, j, out, i)
            j += 16


@intrinsic  # type: ignore[untyped-decorator]
def _add_rows(
    typing: Any, height: Any, width: Any, n: Any, a: Any, i: Any, rows: Any, b: Any, j: Any,
    c: Any, k: Any,
) -> Any:  # fmt: skip
    """c[k + r, j + l] += Σₑ a[i + r, e] · b[row(e), j + l], r < height, l < width, e < n.

    row(e) is rows[i, e] if `rows` is int32, else e. Height and width are literals.
    """
    if not isinstance(height, types.IntegerLiteral) or not isinstance(width, types.IntegerLiteral):
        return None
    gather = rows.dtype == types.int32
    n_rows, n_vectors = height.literal_value, width.literal_value // LANES
    i64, i32, f32 = ir.IntType(64), ir.IntType(32), ir.FloatType()
    vector = ir.VectorType(f32, LANES)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        n_, a_, i_, rows_, b_, j_, c_, k_ = (
            context.cast(builder, value, kind, types.intp) if isinstance(kind, types.Integer)
            else context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args[2:], arguments[2:], strict=True)
        )  # fmt: skip

        def address(kind: Any, array: Any, row: Any, column: Any, element: Any) -> Any:
            strides = cgutils.unpack_tuple(builder, array.strides)
            if kind.layout == "C":
                strides[1] = i64(4)
            offset = builder.add(builder.mul(row, strides[0]), builder.mul(column, strides[1]))
            bytes_ = builder.bitcast(array.data, ir.IntType(8).as_pointer())
            return builder.bitcast(builder.gep(bytes_, [offset]), element.as_pointer())

        def spread(value: Any) -> Any:
            undefined = ir.Constant(vector, ir.Undefined)
            first = builder.insert_element(undefined, value, i32(0))
            zeros = ir.Constant(ir.VectorType(i32, LANES), [0] * LANES)
            return builder.shuffle_vector(first, undefined, zeros)

        fused = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fmuladd.v{LANES}f32"
        )
        columns = [builder.add(j_, i64(v * LANES)) for v in range(n_vectors)]
        tile = [
            address(c, c_, builder.add(k_, i64(r)), column, vector)
            for r in range(n_rows)
            for column in columns
        ]
        initial = [builder.load(place, align=4) for place in tile]
        before = builder.block
        head, body, after = (builder.append_basic_block(name) for name in ("head", "body", "after"))
        builder.branch(head)
        builder.position_at_end(head)
        e = builder.phi(i64)
        e.add_incoming(i64(0), before)
        sums = [builder.phi(vector) for _ in tile]
        for total, value in zip(sums, initial, strict=True):
            total.add_incoming(value, before)
        builder.cbranch(builder.icmp_signed("<", e, n_), body, after)
        builder.position_at_end(body)
        row = e
        if gather:
            row = builder.sext(builder.load(address(rows, rows_, i_, e, i32)), i64)
        b_row = [builder.load(address(b, b_, row, column, vector), align=4) for column in columns]
        added = []
        for r in range(n_rows):
            weight = spread(builder.load(address(a, a_, builder.add(i_, i64(r)), e, f32)))
            for v in range(n_vectors):
                added.append(builder.call(fused, [weight, b_row[v], sums[r * n_vectors + v]]))
        e.add_incoming(builder.add(e, i64(1)), builder.block)
        for total, value in zip(sums, added, strict=True):
            total.add_incoming(value, builder.block)
        builder.branch(head)
        builder.position_at_end(after)
        for place, total in zip(tile, sums, strict=True):
            builder.store(total, place, align=4)
        return context.get_dummy_value()

    return types.void(height, width, n, a, i, rows, b, j, c, k), codegen
