"""Vector programs of float32 sums along one axis: MEAN over neighbouring axes of [outer, middle, inner]."""

from __future__ import annotations

import functools

import numpy as np

from opconform.harness.model import Array, Shape
from opconform.runtimes.lite.jit import emitted, kernel
from opconform.runtimes.lite.vector import F32, I64, Code, Value

#: Vectors of neighbouring columns that are summed together.
_TOGETHER = 4


def merged(shape: Shape, axes: list[int]) -> Array | None:
    """Return outer, middle and inner extent of a reduction, middle being what is reduced; None where there are more."""
    parts = [1, 1, 1]
    position = 0
    for axis, extent in enumerate(shape):
        if extent == 1:
            continue
        wanted = 1 if axis in axes else 2 if position else 0
        if wanted < position or (wanted == 1 and position == 2):
            return None
        position = wanted
        parts[position] *= extent
    return np.array(parts, np.int64)


def _columns(code: Code, x: Value, out: Value, middle: Value, inner: Value, share: Value) -> None:
    """Write the means of the columns of a matrix [middle, inner]."""
    b, size = code.b, 4 * code.lanes
    pitch = b.mul(inner, code.number(4))
    zero = code.constant(F32, 0.0)

    def block(first: Value, count: int) -> None:
        def row(_: Value, state: list[Value]) -> list[Value]:
            at, *sums = state
            loaded = [code.load(b.add(at, code.number(size * n)), F32) for n in range(count)]
            return [b.add(at, pitch), *[b.fadd(s, v) for s, v in zip(sums, loaded, strict=True)]]

        sums = code.repeat(middle, [b.add(x, first), *[zero] * count], row)[1:]
        for n, total in enumerate(sums):
            code.store(b.fmul(total, share), b.add(b.add(out, first), code.number(size * n)))

    def blocks(start: Value, number: Value, count: int) -> None:
        def body(index: Value, _: list[Value]) -> list[Value]:
            block(b.add(start, b.mul(index, code.number(size * count))), count)
            return []

        code.repeat(number, [], body)

    wide = b.udiv(inner, code.number(code.lanes * _TOGETHER))
    blocks(code.number(0), wide, _TOGETHER)
    single = b.udiv(b.urem(inner, code.number(code.lanes * _TOGETHER)), code.number(code.lanes))
    blocks(b.mul(wide, code.number(size * _TOGETHER)), single, 1)
    rest = b.urem(inner, code.number(code.lanes))
    last = b.mul(b.sub(inner, rest), code.number(4))

    def tail(_: Value, __: list[Value]) -> list[Value]:
        def row(_: Value, state: list[Value]) -> list[Value]:
            at, total = state
            return [b.add(at, pitch), b.fadd(total, code.load_first(at, rest, zero))]

        total = code.repeat(middle, [b.add(x, last), zero], row)[1]
        code.store_first(b.fmul(total, share), b.add(out, last), rest)
        return []

    code.repeat(b.zext(b.icmp_signed(">", rest, code.number(0)), I64), [], tail)


def _line(code: Code, x: Value, out: Value, middle: Value, share: Value) -> None:
    """Write the mean of a row."""
    b, size = code.b, 4 * code.lanes
    zero = code.constant(F32, 0.0)
    together = code.number(code.lanes * _TOGETHER)

    def several(index: Value, sums: list[Value]) -> list[Value]:
        at = b.add(x, b.mul(index, code.number(size * _TOGETHER)))
        return [b.fadd(s, code.load(b.add(at, code.number(size * n)), F32)) for n, s in enumerate(sums)]

    blocks = b.udiv(middle, together)
    sums = code.repeat(blocks, [zero] * _TOGETHER, several)
    rest = b.urem(middle, together)
    start = b.add(x, b.mul(blocks, code.number(size * _TOGETHER)))

    def part(index: Value, state: list[Value]) -> list[Value]:
        done = b.mul(index, code.number(code.lanes))
        values = code.load_first(code.at(start, done, 4), b.sub(rest, done), zero)
        return [b.fadd(state[0], values)]

    parts = b.udiv(b.add(rest, code.number(code.lanes - 1)), code.number(code.lanes))
    (total,) = code.repeat(parts, [functools.reduce(b.fadd, sums)], part)
    code.store(b.fmul(code.sum(total), share), out)


@emitted
def means(code: Code, x: Value, out: Value, share: Value, p: Value) -> None:
    """Write x [outer, middle, inner] summed over the middle, times share. share: float32; p: the three extents."""
    b = code.b
    outer, middle, inner = [code.scalar(b.add(p, code.number(8 * n)), I64) for n in range(3)]
    part = code.scalar(share, F32)
    parts = code.splat(part)

    def lines() -> None:
        def one(index: Value, _: list[Value]) -> list[Value]:
            _line(code, code.at(x, b.mul(index, middle), 4), code.at(out, index, 4), middle, part)
            return []

        code.repeat(outer, [], one)

    def matrices() -> None:
        def one(index: Value, _: list[Value]) -> list[Value]:
            at = b.mul(index, inner)
            _columns(code, code.at(x, b.mul(at, middle), 4), code.at(out, at, 4), middle, inner, parts)
            return []

        code.repeat(outer, [], one)

    code.either(b.icmp_signed("==", inner, code.number(1)), lines, matrices)


@kernel
def mean_vectors(x: Array, out: Array, share: Array, p: Array) -> None:
    """Return the means over the middle axis."""
    means(x, out, share, p)
