"""Kernels of CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED with packed weights; `packing` prepares them.

An image is done in bands of output rows. The input of a band is copied where it must be padded or changed, so that the
inner programs (`tiles`) see runs of values only, and what they read stays in the cache. A band is done in blocks of
pixels, whose places are computed once for all output channels.
"""

from __future__ import annotations

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite.jit import Number, helper, kernel
from opconform.runtimes.lite.kernels.tiles import (
    CHANNEL,
    COLUMN,
    PIXELS,
    PRESENT,
    RESULTS,
    SHIFT,
    SINGLES,
    TILE_PARAMETERS,
    TILES,
    WEIGHT,
    block_float,
    block_int8,
    strips_float,
    strips_int8,
)

_P = TILE_PARAMETERS
# p behind the numbers of a tile: the image, its window, and how the work is cut
BATCH, HEIGHT, WIDTH, CHANNELS, ROWS, COLUMNS, OUTPUTS = _P, _P + 1, _P + 2, _P + 3, _P + 4, _P + 5, _P + 6
STRIDE_H, STRIDE_W, TOP, LEFT, REACH = _P + 7, _P + 8, _P + 9, _P + 10, _P + 11
COPY, BAND, PADDED, PIXEL, PADDING, RAISE = _P + 12, _P + 13, _P + 14, _P + 15, _P + 16, _P + 17
GROUPS, TILE, VECTOR, PANEL, BLOCK, SIZE_IN, SIZE_OUT = _P + 18, _P + 19, _P + 20, _P + 21, _P + 22, _P + 23, _P + 24
PARAMETERS = _P + 25

#: The most pixels of a block, whose places are computed at once.
LARGEST_BLOCK = 128
PLACES = 2 * RESULTS
#: So many pixels at the end of a block are done one by one.
FEW = 2


@helper
def fill_cells(band: Array, at: Number, count: Number, value: Number) -> None:
    """Write one value many times."""
    for i in range(count):
        band[at + i] = value


@helper
def fill_line(x: Array, start: Number, band: Array, at: Number, p: Array) -> None:
    """Copy one row of pixels between its padding, every value raised by a constant."""
    fill_cells(band, at, p[LEFT] * p[PIXEL], p[PADDING])
    at += p[LEFT] * p[PIXEL]
    inside = min(p[WIDTH], p[PADDED] - p[LEFT])
    if p[PIXEL] == p[CHANNELS]:
        for i in range(inside * p[CHANNELS]):
            band[at + i] = x[start + i] + p[RAISE]
    else:
        for i in range(inside):
            for c in range(p[CHANNELS]):
                band[at + i * p[PIXEL] + c] = x[start + i * p[CHANNELS] + c] + p[RAISE]
            fill_cells(band, at + i * p[PIXEL] + p[CHANNELS], p[PIXEL] - p[CHANNELS], p[PADDING])
    fill_cells(band, at + inside * p[PIXEL], (p[PADDED] - p[LEFT] - inside) * p[PIXEL], p[PADDING])


@helper
def fill_band(x: Array, band: Array, image: Number, first: Number, rows: Number, p: Array) -> None:
    """Copy the input rows of some output rows; rows outside the image become padding."""
    length = p[PADDED] * p[PIXEL]
    for i in range((rows - 1) * p[STRIDE_H] + p[REACH]):
        y = first * p[STRIDE_H] - p[TOP] + i
        if 0 <= y < p[HEIGHT]:
            fill_line(x, (image * p[HEIGHT] + y) * p[WIDTH] * p[CHANNELS], band, i * length, p)
        else:
            fill_cells(band, i * length, length, p[PADDING])


@helper
def set_places(places: Array, image: Number, first: Number, block: Number, p: Array) -> Number:
    """Compute where the pixels of a block start in bytes, the last one repeated to fill a tile; return their number."""
    count = min(p[BLOCK], min(p[BAND], p[ROWS] - first) * p[COLUMNS] - block)
    base = 0 if p[COPY] else (image * p[HEIGHT] + first * p[STRIDE_H]) * p[WIDTH] * p[CHANNELS]
    row, column = block // p[COLUMNS], block % p[COLUMNS]
    result = ((image * p[ROWS] + first) * p[COLUMNS] + block) * p[OUTPUTS]
    start = base + (row * p[STRIDE_H] * p[PADDED] + column * p[STRIDE_W]) * p[PIXEL]
    for i in range(count + p[TILE] - 1):
        places[i] = start * p[SIZE_IN]
        places[RESULTS + i] = result * p[SIZE_OUT]
        if i < count - 1:
            result += p[OUTPUTS]
            column += 1
            start += p[STRIDE_W] * p[PIXEL]
            if column == p[COLUMNS]:
                column = np.int64(0)
                start += (p[STRIDE_H] * p[PADDED] - p[COLUMNS] * p[STRIDE_W]) * p[PIXEL]
    return count


@helper
def set_tiles(count: Number, few: Number, p: Array) -> None:
    """Cut a block into tiles and at most `few` single pixels."""
    p[PIXELS] = count
    rest = count % p[TILE]
    p[SINGLES] = rest if rest <= few else 0
    p[TILES] = count // p[TILE] + np.int64(rest > few)


@helper
def set_channels(group: Number, panel: Number, p: Array) -> None:
    """Say which output channels come next."""
    per_group = p[OUTPUTS] // p[GROUPS]
    number = group * -(-per_group // p[VECTOR]) + panel
    p[SHIFT] = group * (p[CHANNELS] // p[GROUPS]) * p[SIZE_IN]
    p[WEIGHT] = number * p[PANEL]
    p[CHANNEL] = number * p[VECTOR]
    p[COLUMN] = (group * per_group + panel * p[VECTOR]) * p[SIZE_OUT]
    p[PRESENT] = min(p[VECTOR], per_group - panel * p[VECTOR])


@kernel
def convolve_float(
    x: Array, w: Array, bias: Array, out: Array, band: Array, bounds: Array, taps: Array, places: Array, p: Array
) -> None:
    """Convolve float32. x and band are viewed as int32, which is how they are copied."""
    panels = -(-(p[OUTPUTS] // p[GROUPS]) // p[VECTOR])
    for image in range(p[BATCH]):
        for first in range(0, p[ROWS], p[BAND]):
            rows = min(p[BAND], p[ROWS] - first)
            if p[COPY]:
                fill_band(x, band, image, first, rows, p)
            for block in range(0, rows * p[COLUMNS], p[BLOCK]):
                set_tiles(set_places(places, image, first, block, p), FEW, p)
                for panel in range(p[GROUPS] * panels):
                    set_channels(panel // panels, panel % panels, p)
                    block_float(band if p[COPY] else x, w, bias, out, bounds, taps, places, p)


@kernel
def convolve_int8(
    x: Array,
    w: Array,
    bias: Array,
    factor: Array,
    shift: Array,
    out: Array,
    band: Array,
    taps: Array,
    places: Array,
    p: Array,
) -> None:
    """Convolve int8; the band holds the input as the dot products of the processor take it."""
    panels = -(-(p[OUTPUTS] // p[GROUPS]) // p[VECTOR])
    for image in range(p[BATCH]):
        for first in range(0, p[ROWS], p[BAND]):
            rows = min(p[BAND], p[ROWS] - first)
            fill_band(x, band, image, first, rows, p)
            for block in range(0, rows * p[COLUMNS], p[BLOCK]):
                set_tiles(set_places(places, image, first, block, p), FEW, p)
                for panel in range(p[GROUPS] * panels):
                    set_channels(panel // panels, panel % panels, p)
                    block_int8(band, w, bias, factor, shift, out, taps, places, p)


@kernel
def depthwise_float(
    x: Array, w: Array, bias: Array, out: Array, band: Array, bounds: Array, taps: Array, places: Array, p: Array
) -> None:
    """Convolve each channel of float32 with its own filter; arrays as for convolve_float."""
    p[PRESENT] = p[CHANNELS]
    for image in range(p[BATCH]):
        for first in range(0, p[ROWS], p[BAND]):
            rows = min(p[BAND], p[ROWS] - first)
            if p[COPY]:
                fill_band(x, band, image, first, rows, p)
            for block in range(0, rows * p[COLUMNS], p[BLOCK]):
                set_tiles(set_places(places, image, first, block, p), np.int64(0), p)
                strips_float(band if p[COPY] else x, w, bias, out, bounds, taps, places, p)


@kernel
def depthwise_int8(
    x: Array,
    w: Array,
    bias: Array,
    factor: Array,
    shift: Array,
    out: Array,
    band: Array,
    taps: Array,
    places: Array,
    p: Array,
) -> None:
    """Convolve each channel of int8 with its own filter."""
    p[PRESENT] = p[CHANNELS]
    for image in range(p[BATCH]):
        for first in range(0, p[ROWS], p[BAND]):
            rows = min(p[BAND], p[ROWS] - first)
            fill_band(x, band, image, first, rows, p)
            for block in range(0, rows * p[COLUMNS], p[BLOCK]):
                set_tiles(set_places(places, image, first, block, p), np.int64(0), p)
                strips_int8(band, w, bias, factor, shift, out, taps, places, p)
