"""Vector programs of two operands with broadcasting: ADD, SUB and MUL of float32, ADD of int8, with a fused clamp.

NaN passes the clamp. The rows are those of shapes.loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from llvmlite import ir

from opconform.harness.model import Array
from opconform.runtimes.lite.jit import Number, emitted, helper, kernel
from opconform.runtimes.lite.shapes import LOOP_PARAMETERS
from opconform.runtimes.lite.vector import F32, I8, I32, I64, Code, Value

SIZES: Mapping[Value, int] = {F32: 4, I8: 1}

Operation = Callable[[Value, Value], Value]
#: Loads a vector at an offset in elements; all lanes, or a number of them.
Load = Callable[[Value, Value | None], Value]


def _operand(code: Code, kind: Value, address: Value, step: int) -> Load:
    """Return how vectors of an operand are loaded: one after the other, or of its only element."""
    only = code.splat(code.scalar(address, kind)) if step == 0 else None

    def load(at: Value, count: Value | None) -> Value:
        if only is not None:
            return only
        here = code.at(address, at, SIZES[kind])
        return code.load(here, kind) if count is None else code.load_first(here, count, code.constant(kind, 1))

    return load


def _line(code: Code, kind: Value, a: Load, c: Load, out: Value, count: Value, result: Operation) -> None:
    """Write one row of results."""
    b, lanes = code.b, code.number(code.lanes)

    def whole(index: Value, _: list[Value]) -> list[Value]:
        at = b.mul(index, lanes)
        code.store(result(a(at, None), c(at, None)), code.at(out, at, SIZES[kind]))
        return []

    vectors, rest = b.udiv(count, lanes), b.urem(count, lanes)
    code.repeat(vectors, [], whole)

    def tail(_: Value, __: list[Value]) -> list[Value]:
        at = b.mul(vectors, lanes)
        code.store_first(result(a(at, rest), c(at, rest)), code.at(out, at, SIZES[kind]), rest)
        return []

    code.repeat(b.zext(b.icmp_signed(">", rest, code.number(0)), I64), [], tail)


def _steps(code: Code, kind: Value, result: Operation, a: Value, c: Value, out: Value, *place: Value) -> None:
    """Write a row. place: where it starts in a, in b and in out, its length, the steps in a and in b."""
    b, (start_a, start_c, start, count, step_a, step_c) = code.b, place
    a, c, out = [code.at(*operand, SIZES[kind]) for operand in ((a, start_a), (c, start_c), (out, start))]

    def steps(first: int, second: int) -> Callable[[], None]:
        def write() -> None:
            _line(code, kind, _operand(code, kind, a, first), _operand(code, kind, c, second), out, count, result)

        return write

    def unequal() -> None:
        code.either(b.icmp_signed("==", step_a, code.number(1)), steps(1, 0), steps(0, 1))

    code.either(b.icmp_signed("==", step_a, step_c), steps(1, 1), unequal)


def _lines(code: Code, operation: Operation, a: Value, c: Value, out: Value, bounds: Value, *place: Value) -> None:
    """Write a row of float32."""
    low, high = [code.splat(code.scalar(code.b.add(bounds, code.number(4 * n)), F32)) for n in range(2)]

    def result(x: Value, y: Value) -> Value:
        return code.minimum(code.maximum(operation(x, y), low), high)

    _steps(code, F32, result, a, c, out, *place)


@emitted
def line_add_int8(code: Code, a: Value, c: Value, out: Value, p: Value, *place: Value) -> None:
    """Write a row of quantized sums; the numbers of p are those of binary.add_quantized."""
    b, wide = code.b, ir.VectorType(I32, code.lanes)
    at = [b.add(p, code.number(8 * (LOOP_PARAMETERS + n))) for n in range(13)]
    numbers = [code.splat(b.trunc(code.scalar(address, I64), I32)) for address in at]
    zero_a, qa, sa, zero_c, qc, sc, left, zero, q, s, sign, low, high = numbers

    def scaled(value: Value, zero_point: Value, factor: Value, shift: Value) -> Value:
        return code.rescaled(b.shl(b.sub(b.sext(value, wide), zero_point), left), factor, shift)

    def result(x: Value, y: Value) -> Value:
        total = code.rescaled(b.add(scaled(x, zero_a, qa, sa), b.mul(scaled(y, zero_c, qc, sc), sign)), q, s)
        return b.trunc(code.clamp_integer(b.add(total, zero), low, high), x.type)

    _steps(code, I8, result, a, c, out, *place)


@emitted
def line_add(code: Code, *arguments: Value) -> None:
    """Write a row of a + b."""
    _lines(code, code.b.fadd, *arguments)


@emitted
def line_sub(code: Code, *arguments: Value) -> None:
    """Write a row of a - b."""
    _lines(code, code.b.fsub, *arguments)


@emitted
def line_mul(code: Code, *arguments: Value) -> None:
    """Write a row of a * b."""
    _lines(code, code.b.fmul, *arguments)


@helper
def block_start(p: Array, block: Number, operand: Number) -> Number:
    """Return where a block of rows starts, all rows along the last outer axis: digits of its number times strides."""
    start = np.int64(0)
    for d in range(p[4] - 2, -1, -1):
        extent = p[5 + 3 * d]
        start += (block % extent) * p[6 + 3 * d + operand]
        block //= extent
    return start


@helper
def block_rows(p: Array) -> Number:
    """Return the rows of a block."""
    return p[5 + 3 * (p[4] - 1)] if p[0] > 0 and p[4] > 0 else np.int64(1)


@helper
def row_step(p: Array, operand: Number) -> Number:
    """Return the stride from row to row of a block."""
    return p[6 + 3 * (p[4] - 1) + operand] if p[4] > 0 else np.int64(0)


@kernel
def add_vectors(a: Array, b: Array, out: Array, bounds: Array, p: Array) -> None:
    """Add float32 with broadcasting; p of shapes.loop."""
    rows, step_a, step_b = block_rows(p), row_step(p, 0), row_step(p, 1)
    for block in range(p[0] // rows):
        ia, ib = block_start(p, block, 0), block_start(p, block, 1)
        for i in range(rows):
            place = (block * rows + i) * p[1]
            line_add(a, b, out, bounds, ia + i * step_a, ib + i * step_b, place, p[1], p[2], p[3])


@kernel
def sub_vectors(a: Array, b: Array, out: Array, bounds: Array, p: Array) -> None:
    """Subtract float32 with broadcasting; p of shapes.loop."""
    rows, step_a, step_b = block_rows(p), row_step(p, 0), row_step(p, 1)
    for block in range(p[0] // rows):
        ia, ib = block_start(p, block, 0), block_start(p, block, 1)
        for i in range(rows):
            place = (block * rows + i) * p[1]
            line_sub(a, b, out, bounds, ia + i * step_a, ib + i * step_b, place, p[1], p[2], p[3])


@kernel
def mul_vectors(a: Array, b: Array, out: Array, bounds: Array, p: Array) -> None:
    """Multiply float32 with broadcasting; p of shapes.loop."""
    rows, step_a, step_b = block_rows(p), row_step(p, 0), row_step(p, 1)
    for block in range(p[0] // rows):
        ia, ib = block_start(p, block, 0), block_start(p, block, 1)
        for i in range(rows):
            place = (block * rows + i) * p[1]
            line_mul(a, b, out, bounds, ia + i * step_a, ib + i * step_b, place, p[1], p[2], p[3])


@kernel
def add_vectors_int8(a: Array, b: Array, out: Array, p: Array) -> None:
    """Add int8 with broadcasting."""
    rows, step_a, step_b = block_rows(p), row_step(p, 0), row_step(p, 1)
    for block in range(p[0] // rows):
        ia, ib = block_start(p, block, 0), block_start(p, block, 1)
        for i in range(rows):
            place = (block * rows + i) * p[1]
            line_add_int8(a, b, out, p, ia + i * step_a, ib + i * step_b, place, p[1], p[2], p[3])


VECTORS: Mapping[str, Callable[..., None]] = {"ADD": add_vectors, "SUB": sub_vectors, "MUL": mul_vectors}
