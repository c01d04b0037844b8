"""Convolution of int8 by tile registers of 16 rows of 64 bytes (AMX), for runs and outputs that fill them.

A block is done in squares of 32 pixels by 32 output channels: two registers of inputs, two of weights, four of sums.
Inputs are gathered row by row, or loaded in place where pixels stand evenly; then the last square may read past the end
of the band (packing.py leaves room), and what comes of it is not stored.
"""

from __future__ import annotations

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite.jit import emitted, kernel
from opconform.runtimes.lite.kernels import tiles
from opconform.runtimes.lite.kernels.layers import (
    BAND,
    BATCH,
    BLOCK,
    COLUMNS,
    GROUPS,
    OUTPUTS,
    ROWS,
    VECTOR,
    fill_band,
    set_channels,
    set_places,
    set_tiles,
)
from opconform.runtimes.lite.vector import I32, I64, Code, Value

#: Pixels of a square.
PIXELS = 32
#: Words of 32 bits in a row of a tile register.
WORDS = 16
#: Bytes of the scratch: the inputs of a square, then its sums.
_SUMS, SCRATCH = PIXELS * 64, PIXELS * (64 + 128)


def configuration() -> Array:
    """Return what sets all eight tile registers to 16 rows of 64 bytes."""
    config = np.zeros(64, np.uint8)
    config[0] = 1  # the only palette
    config[16:32:2] = 64
    config[48:56] = 16
    return config


def _products(code: Code, x: Value, w: Value, taps: Value, places: Value, scratch: Value, p: Value) -> None:
    """Leave the sums of a square in registers 0 to 3; `places` is where its pixels stand in the table."""
    b, size = code.b, code.number(64)
    starts = [b.add(x, code.scalar(b.add(places, code.number(8 * m)), I64)) for m in range(PIXELS)]
    pitch = tiles.number(code, p, tiles.PITCH)
    for tile in range(4):
        code.tile_zero(tile)

    def chunk(index: Value, state: list[Value]) -> list[Value]:
        at, weights = state

        def gathered() -> None:
            for m, start in enumerate(starts):
                code.store(code.load(b.add(start, at), I32), b.add(scratch, code.number(64 * m)))
            for n in range(2):
                code.tile_load(4 + n, b.add(scratch, code.number(1024 * n)), size)

        def in_place() -> None:
            for n in range(2):
                code.tile_load(4 + n, b.add(b.add(starts[0], at), b.mul(pitch, code.number(16 * n))), pitch)

        code.either(b.icmp_signed("==", pitch, code.number(0)), gathered, in_place)
        for n in range(2):
            code.tile_load(6 + n, b.add(weights, code.number(64 * n)), code.number(128))
        for tile in range(4):
            code.tile_dot(tile, 4 + tile // 2, 6 + tile % 2)
        return [b.add(at, size), b.add(weights, code.number(128 * WORDS))]

    def tap(index: Value, state: list[Value]) -> list[Value]:
        offset = code.scalar(code.at(taps, index, 8), I64)
        chunks = b.udiv(tiles.number(code, p, tiles.RUN), code.number(WORDS))
        return list(code.repeat(chunks, [offset, *state], chunk)[1:])

    code.repeat(tiles.number(code, p, tiles.TAPS), [code.at(w, tiles.number(code, p, tiles.WEIGHT), 4)], tap)


@emitted
def block_squares(
    code: Code, x: Value, w: Value, bias: Value, factor: Value, shift: Value, out: Value, *rest: Value
) -> None:
    """Write int8 outputs of a block. rest: config, scratch, taps, places, p; others as for tiles.block_int8."""
    config, scratch, taps, places, p = rest
    b, columns = code.b, tiles.COLUMNS
    x, out = b.add(x, tiles.number(code, p, tiles.SHIFT)), b.add(out, tiles.number(code, p, tiles.COLUMN))
    channel = tiles.number(code, p, tiles.CHANNEL)
    biases, factors, shifts = (tiles.vectors(code, v, channel, I32, columns) for v in (bias, factor, shift))
    sums = b.add(scratch, code.number(_SUMS))
    code.tiles_on(config)

    def square(index: Value, _: list[Value]) -> list[Value]:
        here = code.at(places, b.mul(index, code.number(PIXELS)), 8)
        _products(code, x, w, taps, here, scratch, p)
        for tile in range(4):
            at = b.add(sums, code.number(tile // 2 * 16 * 128 + tile % 2 * 64))
            code.tile_store(tile, at, code.number(128))

        def pixel(m: Value, _: list[Value]) -> list[Value]:
            to = b.add(out, code.scalar(code.at(here, b.add(m, code.number(tiles.RESULTS)), 8), I64))
            for n in range(columns):
                total = code.load(b.add(code.at(sums, m, 128), code.number(64 * n)), I32)
                small = tiles.small(code, b.add(total, biases[n]), factors[n], shifts[n], p)
                tiles.store(code, small, to, n, 1, p)
            return []

        rest = b.sub(tiles.number(code, p, tiles.PIXELS), b.mul(index, code.number(PIXELS)))
        whole = b.icmp_signed("<", code.number(PIXELS), rest)
        code.repeat(b.select(whole, code.number(PIXELS), rest), [], pixel)
        return []

    code.repeat(tiles.number(code, p, tiles.TILES), [], square)
    code.tiles_off()


@kernel
def convolve_squares(
    x: Array,
    w: Array,
    bias: Array,
    factor: Array,
    shift: Array,
    out: Array,
    band: Array,
    config: Array,
    scratch: Array,
    taps: Array,
    places: Array,
    p: Array,
) -> None:
    """Convolve int8 as layers.convolve_int8 does."""
    panels = -(-(p[OUTPUTS] // p[GROUPS]) // p[VECTOR])
    for image in range(p[BATCH]):
        for first in range(0, p[ROWS], p[BAND]):
            rows = min(p[BAND], p[ROWS] - first)
            fill_band(x, band, image, first, rows, p)
            for block in range(0, rows * p[COLUMNS], p[BLOCK]):
                set_tiles(set_places(places, image, first, block, p), np.int64(0), p)
                for panel in range(p[GROUPS] * panels):
                    set_channels(panel // panels, panel % panels, p)
                    block_squares(band, w, bias, factor, shift, out, config, scratch, taps, places, p)
