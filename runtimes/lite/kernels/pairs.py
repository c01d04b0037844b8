"""Vector programs of two float32 operands with broadcasting: ADD, SUB and MUL with a fused clamp that lets NaN pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite.jit import Number, emitted, helper, kernel
from opconform.runtimes.lite.vector import F32, I64, Code, Value

Operation = Callable[[Value, Value], Value]
#: Loads a vector at an offset in bytes; all lanes, or with a number of them and something for the others.
Load = Callable[[Value, Value | None], Value]


def _operand(code: Code, address: Value, step: int) -> Load:
    """Return how vectors of an operand are loaded: one after the other, or of its only element."""
    only = code.splat(code.scalar(address, F32)) if step == 0 else None

    def load(at: Value, count: Value | None) -> Value:
        if only is not None:
            return only
        here = code.b.add(address, at)
        return code.load(here, F32) if count is None else code.load_first(here, count, code.constant(F32, 1.0))

    return load


def _line(code: Code, a: Load, c: Load, out: Value, count: Value, result: Operation) -> None:
    """Write one row of results."""
    b, width, lanes = code.b, code.number(4 * code.lanes), code.number(code.lanes)

    def whole(index: Value, _: list[Value]) -> list[Value]:
        at = b.mul(index, width)
        code.store(result(a(at, None), c(at, None)), b.add(out, at))
        return []

    vectors, rest = b.udiv(count, lanes), b.urem(count, lanes)
    code.repeat(vectors, [], whole)

    def tail(_: Value, __: list[Value]) -> list[Value]:
        at = b.mul(vectors, width)
        code.store_first(result(a(at, rest), c(at, rest)), b.add(out, at), rest)
        return []

    code.repeat(b.zext(b.icmp_signed(">", rest, code.number(0)), I64), [], tail)


def _lines(code: Code, operation: Operation, a: Value, c: Value, out: Value, bounds: Value, *place: Value) -> None:
    """Write a row. place: where it starts in a, in b and in out, its length, the steps in a and in b."""
    b, (start_a, start_c, start, count, step_a, step_c) = code.b, place
    low, high = [code.splat(code.scalar(b.add(bounds, code.number(4 * n)), F32)) for n in range(2)]
    a, c, out = code.at(a, start_a, 4), code.at(c, start_c, 4), code.at(out, start, 4)

    def result(x: Value, y: Value) -> Value:
        return code.minimum(code.maximum(operation(x, y), low), high)

    def steps(first: int, second: int) -> Callable[[], None]:
        return lambda: _line(code, _operand(code, a, first), _operand(code, c, second), out, count, result)

    one = code.number(1)

    def unequal() -> None:
        code.either(b.icmp_signed("==", step_a, one), steps(1, 0), steps(0, 1))

    code.either(b.icmp_signed("==", step_a, step_c), steps(1, 1), unequal)


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


VECTORS: Mapping[str, Callable[..., None]] = {"ADD": add_vectors, "SUB": sub_vectors, "MUL": mul_vectors}
