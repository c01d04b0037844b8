"""Vector programs of float32 functions: EXP, TANH and SOFTMAX.

exp(x) = 2**n * exp(r), n the integer next to x / ln 2, |r| <= ln(2) / 2. There exp(r) = 1 + r + r**2 p(r), p being the
polynomial of degree 4 that is best for the relative error of exp(r): 3.3e-9, fitted by iteratively reweighted least
squares. ln 2 is split in two, so that x - n ln 2 is exact to float32: together within 1 ulp.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from opconform.harness.model import Array
from opconform.runtimes.lite.jit import emitted, kernel
from opconform.runtimes.lite.vector import F32, I64, ROUNDER, Code, Many, Value

_LN2, _LN2_HIGH, _LN2_LOW = math.log(2.0), 0.693359375, -2.12194440e-4
_POLYNOMIAL = (
    1.3813144501551603e-3,
    8.36941883568093e-3,
    4.1668456787470776e-2,
    0.16666514791397125,
    0.4999999305072426,
)
#: Below ln(2**-126) results are 0: processors are slow with what lies between, and no runtime promises it.
#: Above 90 they are infinite.
_EXP_LOWEST, _EXP_HIGHEST = -87.336544, 90.0
#: 1 - tanh(x) is below half a unit in the last place from here on.
_TANH_END = 9.02
#: Vectors of one row that are looked at together.
_TOGETHER = 2


def _exp(many: Many, x: list[Value]) -> list[Value]:
    lowest = many.constant(_EXP_LOWEST)
    inside = many.minimum(many.maximum(x, lowest), many.constant(_EXP_HIGHEST))
    n = many.nearest(many.fmul(inside, many.constant(1.0 / _LN2)))
    r = many.fma(n, many.constant(-_LN2_HIGH), inside)
    r = many.fma(n, many.constant(-_LN2_LOW), r)
    total: Value = many.constant(_POLYNOMIAL[0])
    for coefficient in _POLYNOMIAL[1:]:
        total = many.fma(total, r, many.constant(coefficient))
    grown = many.fma(total, many.fmul(r, r), r)
    return many.zero_below(many.times_power(many.fadd(grown, many.constant(1.0)), n), x, lowest)


def _exp_negative(many: Many, x: list[Value]) -> list[Value]:
    """Return exp(x) for x <= 0. float32's ln 2 is off by 2e-9 of itself, which n = -126 makes 2 ulp."""
    lowest, rounder = many.constant(_EXP_LOWEST), many.constant(ROUNDER + 127)
    inside = many.maximum(x, lowest)
    biased = many.fma(inside, many.constant(1.0 / _LN2), rounder)
    r = many.fma(many.fsub(biased, rounder), many.constant(-_LN2), inside)
    total: Value = many.constant(_POLYNOMIAL[0])
    for coefficient in (*_POLYNOMIAL[1:], 1.0, 1.0):
        total = many.fma(total, r, many.constant(coefficient))
    return many.zero_below(many.fmul(total, many.power(biased)), x, lowest)


def _tanh(many: Many, x: list[Value]) -> list[Value]:
    """Return -e / (2 + e) with e = exp(-2 |x|) - 1, which neither cancels nor exceeds 1, and the sign of x.

    As exp, of -2 |x| = n ln 2 - 2 u: exp(-2 u) - 1 = u (-2 + u q(u)), where the coefficients of q are those of p times
    4 (-2)**k. n is at least -27, so ln 2 needs no second part.
    """
    size = many.minimum(many.magnitude(x), many.constant(_TANH_END))
    rounder = many.constant(ROUNDER + 127)
    biased = many.fma(size, many.constant(-2.0 / _LN2), rounder)
    u = many.fma(many.fsub(biased, rounder), many.constant(_LN2 / 2), size)
    degree = len(_POLYNOMIAL) - 1
    scaled = [c * 4 * (-2.0) ** (degree - k) for k, c in enumerate(_POLYNOMIAL)]
    total: Value = many.constant(scaled[0])
    for coefficient in (*scaled[1:], -2.0):
        total = many.fma(total, u, many.constant(coefficient))
    power = many.power(biased)
    e = many.fma(power, many.fmul(total, u), many.fsub(power, many.constant(1.0)))
    return many.with_sign(many.quotient(e, many.fadd(e, many.constant(2.0))), x)


#: Takes a state further by some vectors, which it may store in place n of their results: a pass over a row.
Pass = Callable[[list[Value], list[Value], Callable[[int, Value], None]], list[Value]]


class _Row:
    """A row of float32 of any length; `out` is where its results start."""

    def __init__(self, code: Code, out: Value, depth: Value) -> None:
        self.code, self.out, self.depth = code, out, depth

    def over(self, source: Value, state: list[Value], fill: float, step: Pass) -> list[Value]:
        """Run a pass: some vectors together, then one by one, then the rest filled up with `fill`."""
        code, b, size = self.code, self.code.b, 4 * self.code.lanes
        together = code.number(code.lanes * _TOGETHER)

        def several(count: int, first: Value) -> Callable[[Value, list[Value]], list[Value]]:
            def body(index: Value, state: list[Value]) -> list[Value]:
                at = b.add(first, b.mul(index, code.number(size * count)))
                loaded = [code.load(b.add(b.add(source, at), code.number(size * n)), F32) for n in range(count)]
                to = b.add(self.out, at)
                return step(state, loaded, lambda n, value: code.store(value, b.add(to, code.number(size * n))))

            return body

        blocks = b.udiv(self.depth, together)
        state = list(code.repeat(blocks, state, several(_TOGETHER, code.number(0))))
        first = b.mul(blocks, code.number(size * _TOGETHER))
        singles = b.udiv(b.urem(self.depth, together), code.number(code.lanes))
        state = list(code.repeat(singles, state, several(1, first)))
        rest = b.urem(self.depth, code.number(code.lanes))
        last = b.mul(b.sub(self.depth, rest), code.number(4))

        def tail(_: Value, state: list[Value]) -> list[Value]:
            values = code.load_first(b.add(source, last), rest, code.constant(F32, fill))
            return step(state, [values], lambda _, value: code.store_first(value, b.add(self.out, last), rest))

        return list(code.repeat(b.zext(b.icmp_signed(">", rest, code.number(0)), I64), state, tail))


def _each(code: Code, x: Value, out: Value, p: Value, function: Callable[[Many, list[Value]], list[Value]]) -> None:
    """Write a function of every element; p holds their number."""

    def step(_: list[Value], loaded: list[Value], store: Callable[[int, Value], None]) -> list[Value]:
        for n, value in enumerate(function(Many(code), loaded)):
            store(n, value)
        return []

    _Row(code, out, code.scalar(p, I64)).over(x, [], 0.0, step)


@emitted
def each_exp(code: Code, x: Value, out: Value, p: Value) -> None:
    """Write exp(x)."""
    _each(code, x, out, p, _exp)


@emitted
def each_tanh(code: Code, x: Value, out: Value, p: Value) -> None:
    """Write tanh(x)."""
    _each(code, x, out, p, _tanh)


@kernel
def exp_vectors(x: Array, out: Array, p: Array) -> None:
    """Return exp(x) of p[0] elements, within 1 ulp."""
    each_exp(x, out, p)


@kernel
def tanh_vectors(x: Array, out: Array, p: Array) -> None:
    """Return tanh(x) of p[0] elements, within 3 ulp."""
    each_tanh(x, out, p)


def _larger(code: Code, value: Value, other: Value) -> Value:
    return code.b.select(code.b.fcmp_ordered(">", value, other), value, other)


def _short_softmax(code: Code, x: Value, out: Value, depth: Value, factor: Value) -> None:
    """Write the softmax of a row that fits in one vector."""
    b = code.b
    values = code.load_first(x, depth, code.constant(F32, -math.inf))
    values = b.fsub(values, code.splat(code.largest(values)))
    (values,) = _exp_negative(Many(code), [b.fmul(values, factor)])
    share = code.splat(b.fdiv(code.one, code.sum(values)))
    code.store_first(b.fmul(values, share), out, depth)


def _long_softmax(code: Code, x: Value, out: Value, depth: Value, factor: Value) -> None:
    """Write the softmax of a row in three passes: its largest value, its exponentials and their sum, their shares."""
    b, line = code.b, _Row(code, out, depth)

    def larger(state: list[Value], loaded: list[Value], _: Callable[[int, Value], None]) -> list[Value]:
        grown = [_larger(code, value, other) for value, other in zip(loaded, state, strict=False)]
        return grown + state[len(grown) :]

    tops = line.over(x, [code.constant(F32, -math.inf)] * _TOGETHER, -math.inf, larger)
    top = code.splat(code.largest(functools.reduce(functools.partial(_larger, code), tops)))

    def exponentials(state: list[Value], loaded: list[Value], store: Callable[[int, Value], None]) -> list[Value]:
        many = Many(code)
        values = _exp_negative(many, many.fmul(many.fsub(loaded, top), factor))
        for n, value in enumerate(values):
            store(n, value)
        return [b.fadd(total, value) for total, value in zip(state, values, strict=False)] + state[len(values) :]

    sums = line.over(x, [code.constant(F32, 0.0)] * _TOGETHER, -math.inf, exponentials)
    share = code.splat(b.fdiv(code.one, code.sum(functools.reduce(b.fadd, sums))))

    def shares(_: list[Value], loaded: list[Value], store: Callable[[int, Value], None]) -> list[Value]:
        for n, value in enumerate(loaded):
            store(n, b.fmul(value, share))
        return []

    line.over(out, [], 0.0, shares)


@emitted
def rows_softmax(code: Code, x: Value, out: Value, beta: Value, p: Value) -> None:
    """Write exp(beta (x - largest of its row)) over the sum of its row. beta: float32; p: rows and their length."""
    b = code.b
    count, depth = code.scalar(p, I64), code.scalar(b.add(p, code.number(8)), I64)
    factor = code.splat(code.scalar(beta, F32))

    def rows(write: Callable[[Code, Value, Value, Value, Value], None]) -> Callable[[], None]:
        def row(index: Value, _: list[Value]) -> list[Value]:
            at = b.mul(b.mul(index, depth), code.number(4))
            write(code, b.add(x, at), b.add(out, at), depth, factor)
            return []

        return lambda: code.repeat(count, [], row)

    code.either(b.icmp_signed("<=", depth, code.number(code.lanes)), rows(_short_softmax), rows(_long_softmax))


@kernel
def softmax_vectors(x: Array, out: Array, beta: Array, p: Array) -> None:
    """Return exp(beta x) over its sum, row by row, shifted by the largest value. p: rows and their length."""
    rows_softmax(x, out, beta, p)
