"""Vector programs of convolutions: tiles of outputs whose sums stay in registers.

A tile is some output pixels (rows) by one or two vectors of output channels (columns). The inputs of a pixel are runs
of contiguous values, one per tap; weights are packed so that a tile reads them in order. A strip is some pixels by one
vector of channels, each of which has its own filter. Padding, strides and dilation are in the offsets that `layers`
computes.

Arguments: `x` inputs, `w` packed weights, `bias` (for int8 with zero points folded in), `factor` and `shift` per output
channel, `out`, `bounds` (two float32), `taps` where runs start, `places` where pixels start in x and, from
RESULTS on, in out, both in bytes; `p` the numbers named below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llvmlite import ir

from opconform.runtimes.lite.jit import emitted
from opconform.runtimes.lite.vector import F32, I8, I16, I32, I64, Code, Value

#: Vectors of output channels that weights are packed for.
COLUMNS = 2
#: Steps of a run that a tile of one row takes at once, so that its few sums do not wait for each other.
STEPS = 4
#: Where `places` holds the results of the pixels.
RESULTS = 160

# p: taps, words of 32 bits in a run (strips: channels), limits; then the present block: how many tiles and single
# pixels, where its weights and channels are, how many bytes into a pixel it reads and writes, how many channels it has
TAPS, RUN, ZERO_OUT, LOW, HIGH = 0, 1, 2, 3, 4
TILES, SINGLES, WEIGHT, CHANNEL, SHIFT, COLUMN, PRESENT = 5, 6, 7, 8, 9, 10, 11
# for tile registers: pixels of the block, and bytes from each to the next where that is one number, else 0
PIXELS, PITCH = 12, 13
TILE_PARAMETERS = 14

Multiply = Callable[[Value, Value, Value], Value]
#: Writes results: the vectors of a tile row by row, the address of each row.
Finish = Callable[[list[Value], list[Value]], None]


def number(code: Code, p: Value, index: int) -> Value:
    return code.scalar(code.b.add(p, code.number(8 * index)), I64)


def _starts(code: Code, rows: int, base: Value, places: Value, first: Value) -> list[Value]:
    """Return the addresses of some pixels: of their inputs, or of their results."""
    at = code.at(places, first, 8)
    return [code.b.add(base, code.scalar(code.b.add(at, code.number(8 * m)), I64)) for m in range(rows)]


def vectors(code: Code, values: Value, first: Value, kind: Value, columns: int) -> list[Value]:
    """Load the vectors that belong to the output channels from `first` on."""
    at = code.at(values, first, 4)
    return [code.load(code.b.add(at, code.number(4 * code.lanes * n)), kind) for n in range(columns)]


class _Sums:
    """The sums of a tile over all taps: `columns` vectors for each of its rows."""

    def __init__(self, code: Code, kind: Value, multiply: Multiply, columns: int, taps: Value, p: Value) -> None:
        self.code, self.kind, self.multiply, self.columns = code, kind, multiply, columns
        self.taps, self.count, self.run = taps, number(code, p, TAPS), number(code, p, RUN)

    def _step(self, bases: Sequence[Value], state: list[Value]) -> list[Value]:
        """Take one word of every row: state is its offset in bytes, the address of the weights, and the sums."""
        code, b, (at, weights, *sums) = self.code, self.code.b, state
        columns = [code.load(b.add(weights, code.number(4 * code.lanes * n)), self.kind) for n in range(self.columns)]
        values = [code.splat(code.scalar(b.add(base, at), self.kind)) for base in bases]
        pairs = [(value, column) for value in values for column in columns]
        grown = [self.multiply(*pair, total) for pair, total in zip(pairs, sums, strict=True)]
        return [b.add(at, code.number(4)), b.add(weights, code.number(4 * code.lanes * COLUMNS)), *grown]

    def _leap(self, bases: Sequence[Value], state: list[Value]) -> list[Value]:
        """Take STEPS words of one row, each into its own sums."""
        at, weights, *sums = state
        grown: list[Value] = []
        for s in range(STEPS):
            mine = sums[self.columns * s : self.columns * (s + 1)]
            at, weights, *mine = self._step(bases, [at, weights, *mine])
            grown += mine
        return [at, weights, *grown]

    def of(self, bases: Sequence[Value], weights: Value, sums: list[Value]) -> list[Value]:
        """Return the sums over all taps; for a single row STEPS times as many, to be added up."""
        code = self.code
        size = 2 + len(bases) * self.columns

        def one(_: Value, state: list[Value]) -> list[Value]:
            return [*self._step(bases, state[:size]), *state[size:]]

        def tap(index: Value, state: list[Value]) -> list[Value]:
            state = [code.scalar(code.at(self.taps, index, 8), I64), *state]
            if len(bases) > 1:
                return list(code.repeat(self.run, state, one)[1:])
            steps = code.number(STEPS)
            state = code.repeat(code.b.udiv(self.run, steps), state, lambda _, s: self._leap(bases, s))
            return list(code.repeat(code.b.urem(self.run, steps), state, one)[1:])

        return list(code.repeat(self.count, [weights, *sums], tap)[1:])


def _block(code: Code, sums: _Sums, start: list[Value], finish: Finish, addresses: Sequence[Value]) -> None:
    """Write all tiles of a block, then its single pixels. `start` are the first sums of one row."""
    b, (x, w, out, places, p) = code.b, addresses
    rows = code.vectors.rows
    x, out = b.add(x, number(code, p, SHIFT)), b.add(out, number(code, p, COLUMN))
    weights, tiles = code.at(w, number(code, p, WEIGHT), 4), number(code, p, TILES)
    results = code.number(RESULTS)

    def tile(index: Value, _: list[Value]) -> list[Value]:
        place = b.mul(index, code.number(rows))
        total = sums.of(_starts(code, rows, x, places, place), weights, start * rows)
        finish(total, _starts(code, rows, out, places, b.add(place, results)))
        return []

    def single(index: Value, _: list[Value]) -> list[Value]:
        place = b.add(b.mul(tiles, code.number(rows)), index)
        zeros = [ir.Constant(value.type, None) for value in start] * (STEPS - 1)
        total = sums.of(_starts(code, 1, x, places, place), weights, [*start, *zeros])
        add = b.fadd if start[0].type.element == F32 else b.add
        joined = total[: len(start)]
        for s in range(1, STEPS):
            joined = [add(a, c) for a, c in zip(joined, total[len(start) * s :], strict=False)]
        finish(joined, _starts(code, 1, out, places, b.add(place, results)))
        return []

    code.repeat(tiles, [], tile)
    code.repeat(number(code, p, SINGLES), [], single)


def _either_width(code: Code, p: Value, write: Callable[[int], None]) -> None:
    """Write a block for one vector of output channels and for two; which one runs depends on how many there are."""
    narrow = code.b.icmp_signed("<=", number(code, p, PRESENT), code.number(code.lanes))
    code.either(narrow, lambda: write(1), lambda: write(COLUMNS))


def store(code: Code, value: Value, address: Value, column: int, size: int, p: Value) -> None:
    """Store one vector of a row, up to the last channel that there is."""
    present = code.b.sub(number(code, p, PRESENT), code.number(column * code.lanes))
    code.store_first(value, code.b.add(address, code.number(size * column * code.lanes)), present)


def _limits(code: Code, bounds: Value) -> list[Value]:
    return [code.splat(code.scalar(code.b.add(bounds, code.number(4 * n)), F32)) for n in range(2)]


@emitted
def block_float(
    code: Code, x: Value, w: Value, bias: Value, out: Value, bounds: Value, taps: Value, places: Value, p: Value
) -> None:
    """Write float32 outputs: some channels of a block of pixels."""
    low, high = _limits(code, bounds)

    def write(columns: int) -> None:
        def finish(total: list[Value], addresses: list[Value]) -> None:
            for n, value in enumerate(total):
                limited = code.minimum(code.maximum(value, low), high)
                store(code, limited, addresses[n // columns], n % columns, 4, p)

        start = vectors(code, bias, number(code, p, CHANNEL), F32, columns)
        _block(code, _Sums(code, F32, code.fma, columns, taps, p), start, finish, (x, w, out, places, p))

    _either_width(code, p, write)


def small(code: Code, total: Value, factor: Value, shift: Value, p: Value) -> Value:
    """Return int8 of int32 sums with double rounding."""
    b = code.b
    zero, low, high = [b.trunc(number(code, p, n), I32) for n in (ZERO_OUT, LOW, HIGH)]
    limits = [code.splat(b.sub(limit, zero)) for limit in (low, high)]
    value = code.clamp_integer(code.rescaled(total, factor, shift), *limits)
    return b.trunc(b.add(value, code.splat(zero)), ir.VectorType(I8, code.lanes))


@emitted
def block_int8(code: Code, x: Value, w: Value, bias: Value, factor: Value, shift: Value, *rest: Value) -> None:
    """Write int8 outputs: some channels of a block of pixels. rest: out, taps, places, p."""
    out, taps, places, p = rest

    def multiply(value: Value, column: Value, total: Value) -> Value:
        return code.dot(total, value, column)

    def write(columns: int) -> None:
        channel = number(code, p, CHANNEL)
        factors, shifts = (vectors(code, values, channel, I32, columns) for values in (factor, shift))

        def finish(total: list[Value], addresses: list[Value]) -> None:
            for n, value in enumerate(total):
                result = small(code, value, factors[n % columns], shifts[n % columns], p)
                store(code, result, addresses[n // columns], n % columns, 1, p)

        start = vectors(code, bias, channel, I32, columns)
        _block(code, _Sums(code, I32, multiply, columns, taps, p), start, finish, (x, w, out, places, p))

    _either_width(code, p, write)


#: Writes one strip: addresses of inputs and results, and the first channel.
Strip = Callable[[list[Value], list[Value], Value, Value], None]


def _strips(code: Code, x: Value, out: Value, places: Value, p: Value, strip: Strip) -> None:
    """Write all channels of the pixels of a block; the last vector is moved back to end with the channels."""
    b, rows, lanes = code.b, code.vectors.rows, code.lanes
    channels = number(code, p, RUN)
    vectors = b.udiv(b.add(channels, code.number(lanes - 1)), code.number(lanes))

    def tile(index: Value, _: list[Value]) -> list[Value]:
        place = b.mul(index, code.number(rows))
        bases = _starts(code, rows, x, places, place)
        results = _starts(code, rows, out, places, b.add(place, code.number(RESULTS)))

        def vector(number: Value, _: list[Value]) -> list[Value]:
            first, last = b.mul(number, code.number(lanes)), b.sub(channels, code.number(lanes))
            strip(bases, results, number, b.select(b.icmp_signed("<", first, last), first, last))
            return []

        code.repeat(vectors, [], vector)
        return []

    code.repeat(number(code, p, TILES), [], tile)


@emitted
def strips_float(
    code: Code, x: Value, w: Value, bias: Value, out: Value, bounds: Value, taps: Value, places: Value, p: Value
) -> None:
    """Write float32 outputs of a block of pixels; w holds RUN channels for each tap."""
    b = code.b
    width = b.mul(number(code, p, RUN), code.number(4))
    low, high = _limits(code, bounds)

    def strip(bases: list[Value], results: list[Value], _: Value, channel: Value) -> None:
        bytes_in = b.mul(channel, code.number(4))

        def tap(index: Value, state: list[Value]) -> list[Value]:
            weights, *sums = state
            offset = b.add(code.scalar(code.at(taps, index, 8), I64), bytes_in)
            filters = code.load(weights, F32)
            values = [code.load(b.add(base, offset), F32) for base in bases]
            return [b.add(weights, width), *[code.fma(v, filters, s) for v, s in zip(values, sums, strict=True)]]

        start = vectors(code, bias, channel, F32, 1) * len(bases)
        sums = code.repeat(number(code, p, TAPS), [b.add(w, bytes_in), *start], tap)[1:]
        for total, to in zip(sums, results, strict=True):
            store(code, code.minimum(code.maximum(total, low), high), b.add(to, bytes_in), 0, 4, p)

    _strips(code, x, out, places, p, strip)


@emitted
def strips_int8(code: Code, x: Value, w: Value, bias: Value, factor: Value, shift: Value, *rest: Value) -> None:
    """Write int8 outputs of a block; TAPS is even, w holds pairs of taps as int16. rest: out, taps, places, p."""
    out, taps, places, p = rest
    b, lanes = code.b, code.lanes
    zipped = [lane // 2 + (lanes if lane % 2 else 0) for lane in range(2 * lanes)]
    pairs = b.udiv(number(code, p, TAPS), code.number(2))

    def strip(bases: list[Value], results: list[Value], number: Value, channel: Value) -> None:
        def pair(index: Value, state: list[Value]) -> list[Value]:
            weights, *sums = state
            at = code.at(taps, b.mul(index, code.number(2)), 8)
            offsets = [b.add(code.scalar(b.add(at, code.number(8 * n)), I64), channel) for n in range(2)]
            filters = code.load(weights, I16, 2 * lanes)
            grown = []
            for base, total in zip(bases, sums, strict=True):
                first, second = [code.load(b.add(base, offset), I8) for offset in offsets]
                values = b.sext(code.shuffle(first, second, zipped), filters.type)
                grown.append(b.add(total, code.pair_products(values, filters)))
            return [b.add(weights, code.number(4 * lanes)), *grown]

        weights = code.at(w, b.mul(number, pairs), 4 * lanes)
        start = vectors(code, bias, channel, I32, 1) * len(bases)
        sums = code.repeat(pairs, [weights, *start], pair)[1:]
        factors, shifts = (vectors(code, values, channel, I32, 1)[0] for values in (factor, shift))
        for total, to in zip(sums, results, strict=True):
            store(code, small(code, total, factors, shifts, p), b.add(to, channel), 0, 1, p)

    _strips(code, x, out, places, p, strip)
