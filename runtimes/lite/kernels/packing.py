"""Layers with constant weights: weights are packed once, when the model is opened, and run by the kernels of `layers`.

`conv` says which layers these are; all others are run by the plain kernels of `dot`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from opconform.harness.model import Array, Shape
from opconform.runtimes.lite import cpu
from opconform.runtimes.lite.graph import Memory, Prepared, Step
from opconform.runtimes.lite.jit import bind
from opconform.runtimes.lite.kernels import layers, squares_int8, tiles
from opconform.runtimes.lite.planner import ALIGNMENT

_INT32 = np.dtype(np.int32)
#: Bytes of a band: what is read again and again should stay in the cache nearest to the processor but one.
_BAND_BYTES = 96 * 1024
#: Bytes that a vector load may run over the end of a band, whose values meet weights of zero.
_SLACK = 128


@dataclass(frozen=True, slots=True)
class Window:
    """Extents of a convolution; `top` and `left` are the padding before."""

    batch: int
    height: int
    width: int
    channels: int
    rows: int
    columns: int
    outputs: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    dilation_h: int
    dilation_w: int
    top: int
    left: int
    groups: int

    @property
    def reach(self) -> tuple[int, int]:
        """Rows and columns that a window spans."""
        return (self.kernel_h - 1) * self.dilation_h + 1, (self.kernel_w - 1) * self.dilation_w + 1

    @property
    def padded(self) -> tuple[int, int]:
        """Rows and columns that all windows together span, padding included."""
        return (self.rows - 1) * self.stride_h + self.reach[0], (self.columns - 1) * self.stride_w + self.reach[1]

    @property
    def inside(self) -> bool:
        """Tell whether no window touches the padding."""
        high, wide = self.padded
        return self.top == self.left == 0 and high <= self.height and wide <= self.width


@dataclass(frozen=True, slots=True)
class Numbers:
    """What the weights are and what becomes of sums: float32 with bounds, or int8 with factors and shifts."""

    weights: Array  # [outputs, kernel_h, kernel_w, channels of a group], or [kernel_h, kernel_w, channels]
    bias: Array
    bounds: Array | None = None
    factor: Array | tuple[()] = ()
    shift: Array | tuple[()] = ()
    zero_x: int = 0
    zero_out: int = 0
    low: int = 0
    high: int = 0


@dataclass(frozen=True, slots=True)
class _Cut:
    """How a layer is cut: `pixel` elements from column to column, bytes of a band element, rows of a band."""

    vectors: cpu.Vectors
    copy: bool
    pixel: int
    itemsize: int
    rows: int
    tile: int
    pitch: int = 0  # bytes from pixel to pixel, where it is the same at the ends of rows and of use

    def band_bytes(self, window: Window) -> int:
        """Return the size of the copy of a band."""
        lines = (self.rows - 1) * window.stride_h + window.reach[0]
        beyond = squares_int8.PIXELS * self.pitch + _SLACK
        return lines * window.padded[1] * self.pixel * self.itemsize + beyond if self.copy else _SLACK


def _cut(window: Window, vectors: cpu.Vectors, pixel: int, itemsize: int, copy: bool) -> _Cut:
    """Choose bands that fit in the cache, yet of enough pixels to be worth reading all weights for."""
    line = max(1, window.padded[1] * pixel * itemsize)
    fitting = (_BAND_BYTES // line - window.reach[0]) // window.stride_h + 1
    rows = min(window.rows, max(1, fitting, -(-layers.LARGEST_BLOCK // (2 * window.columns))))
    return _Cut(vectors, copy, pixel, itemsize, rows if copy else window.rows, vectors.rows)


def _parameters(window: Window, cut: _Cut, numbers: Numbers, head: Sequence[int], tail: Sequence[int]) -> Array:
    """Return p: `head` are taps and run, `tail` padding, what is added, groups, vector, panel and size of results."""
    pixels = cut.rows * window.columns
    blocks = -(-pixels // layers.LARGEST_BLOCK)
    block = min(layers.LARGEST_BLOCK, -(-pixels // (blocks * cut.tile)) * cut.tile)
    padding, raised, groups, vector, panel, size = tail
    p = [*head, numbers.zero_out, numbers.low, numbers.high, *[0] * (tiles.PITCH - tiles.TILES), cut.pitch]
    p += [window.batch, window.height, window.width, window.channels, window.rows, window.columns, window.outputs]
    p += [window.stride_h, window.stride_w, window.top, window.left, window.reach[0]]
    p += [int(cut.copy), cut.rows, window.padded[1] if cut.copy else window.width, cut.pixel, padding, raised]
    return np.array([*p, groups, cut.tile, vector, panel, block, cut.itemsize, size], np.int64)


def _taps(window: Window, pitch: int, pixel: int, merged: bool) -> list[int]:
    """Return where the runs of a window start; merged: one run per row of the window."""
    columns = range(1 if merged else window.kernel_w)
    return [
        i * window.dilation_h * pitch * pixel + j * window.dilation_w * pixel
        for i in range(window.kernel_h)
        for j in columns
    ]


def _aligned(shape: Sequence[int], dtype: np.dtype[np.generic]) -> Array:
    """Return zeros that start where vectors are loaded fastest."""
    size = math.prod(shape) * dtype.itemsize
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    start = -raw.__array_interface__["data"][0] % ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)


def _panels(runs: Array, vector: int, unit: int, words: int) -> Array:
    """Pack [groups, outputs, taps, run] as [groups, panels, taps, words, vector, unit], zeros where none are."""
    groups, outputs, taps, run = runs.shape
    panels = -(-outputs // vector)
    packed = _aligned((groups, panels, taps, words, vector, unit), runs.dtype)
    full = runs
    if panels * vector != outputs or words * unit != run:
        full = np.zeros((groups, panels * vector, taps, words * unit), runs.dtype)
        full[:, :outputs, :, :run] = runs
    packed[:] = full.reshape(groups, panels, vector, taps, words, unit).transpose(0, 1, 3, 4, 2, 5)
    return packed.reshape(-1)


def _spread(values: Array | tuple[()], groups: int, width: int, dtype: np.dtype[np.generic]) -> Array:
    """Return values per output channel with zeros behind each group, up to `width`; int32 wraps."""
    parts = np.asarray(values).reshape(groups, -1)
    spread = _aligned((groups, width), dtype)
    np.copyto(spread[:, : parts.shape[1]], parts, casting="unsafe")
    return spread.reshape(-1)


@dataclass(frozen=True, slots=True)
class _Packed:
    """Weights as the kernels read them, and what goes with them; `sums` of the weights per output channel."""

    kernels: tuple[Callable[..., None], Callable[..., None]]
    weights: Array
    taps: Sequence[int]
    p: Array
    vector: int  # output channels of a tile
    groups: int  # parts of bias and factors that are padded apart
    raised: int  # what is added to int8 inputs
    sums: Array


def convolution(window: Window, numbers: Numbers) -> Prepared:
    """Prepare a convolution, grouped ones included, whose weights are [outputs, taps, channels of a group]."""
    vectors, real = cpu.vectors(), numbers.bounds is not None
    unit = 1 if real else vectors.unit
    copy = not (real and window.inside)
    cut = _cut(window, vectors, window.channels, 4 // unit, copy)
    merged = window.groups == 1 and window.dilation_w == 1
    taps = _taps(window, window.padded[1] if copy else window.width, window.channels, merged)
    runs = numbers.weights.reshape(window.groups, window.outputs // window.groups, len(taps), -1)
    vector, words = tiles.COLUMNS * vectors.lanes, -(-runs.shape[3] // unit)
    squares = vectors.tiles and not real and _fills_squares(window, runs)
    if squares:
        even = window.stride_h * window.padded[1] == window.columns * window.stride_w
        cut = replace(cut, tile=squares_int8.PIXELS, pitch=window.stride_w * window.channels if even else 0)
        words = -(-words // squares_int8.WORDS) * squares_int8.WORDS
    raised = 128 if unit == 4 else 0
    packed = _panels(runs.astype(np.int16) if unit == 2 else runs, vector, unit, words)
    tail = (numbers.zero_x + raised, raised, window.groups, vector, len(taps) * words * vector, 4 if real else 1)
    p = _parameters(window, cut, numbers, (len(taps), words), tail)
    sums = numbers.weights.reshape(window.outputs, -1).sum(axis=1, dtype=np.int64) if not real else packed
    kernels = (layers.convolve_float, squares_int8.convolve_squares if squares else layers.convolve_int8)
    return _bound(window, cut, numbers, _Packed(kernels, packed, taps, p, vector, window.groups, raised, sums))


def _fills_squares(window: Window, runs: Array) -> bool:
    """Tell whether most of a square of tile registers would be used."""
    pixels, (_, outputs, _, run) = window.rows * window.columns, runs.shape
    filled = run > 32 and run % 64 in (0, *range(32, 64))
    return filled and pixels >= squares_int8.PIXELS // 2 and outputs >= tiles.COLUMNS * 8


def depthwise(window: Window, numbers: Numbers) -> Prepared:
    """Prepare a depthwise convolution with one filter per channel; weights [taps, channels]."""
    vectors, real = cpu.vectors(), numbers.bounds is not None
    lanes, pixel = vectors.lanes, max(window.channels, vectors.lanes)
    copy = not (real and window.inside and pixel == window.channels)
    cut = _cut(window, vectors, pixel, 4 if real else 1, copy)
    taps = _taps(window, window.padded[1] if copy else window.width, pixel, False)
    filters = numbers.weights.reshape(len(taps), window.channels)
    if pixel > window.channels:
        filters = np.pad(filters, ((0, 0), (0, pixel - window.channels)))
    if not real:
        taps += taps[-1:] * (len(taps) % 2)
    packed = filters.reshape(-1) if real else _pairs(filters, len(taps), lanes)
    tail = (numbers.zero_x, 0, window.channels, lanes, 0, cut.itemsize)
    p = _parameters(window, cut, numbers, (len(taps), pixel), tail)
    sums = filters[:, : window.channels].sum(axis=0, dtype=np.int64) if not real else packed
    kernels = (layers.depthwise_float, layers.depthwise_int8)
    return _bound(window, cut, numbers, _Packed(kernels, packed, taps, p, lanes, 1, 0, sums))


def _pairs(filters: Array, taps: int, lanes: int) -> Array:
    """Pack filters [taps, channels] as [vectors, pairs of taps, lanes, 2] of int16; the last vector ends with them."""
    full = np.zeros((taps, filters.shape[1]), np.int16)
    full[: len(filters)] = filters
    starts = [min(at, filters.shape[1] - lanes) for at in range(0, filters.shape[1], lanes)]
    packed = _aligned((len(starts), taps // 2, lanes, 2), full.dtype)
    for vector, start in enumerate(starts):
        packed[vector] = full[:, start : start + lanes].reshape(taps // 2, 2, lanes).transpose(0, 2, 1)
    return packed.reshape(-1)


def _bound(window: Window, cut: _Cut, numbers: Numbers, packed: _Packed) -> Prepared:
    """Return the layer with its constants; memory is bound to it later."""
    shape: Shape = (window.batch, window.rows, window.columns, window.outputs)
    width = -(-(window.outputs // packed.groups) // packed.vector) * packed.vector
    shared = (np.array(packed.taps, np.int64) * cut.itemsize, np.zeros(layers.PLACES, np.int64), packed.p)
    if numbers.bounds is not None:
        bounds, bias = numbers.bounds, _spread(numbers.bias, packed.groups, width, numbers.bias.dtype)

        def build_float(m: Memory) -> Step:
            x, band = m.inputs[0].view(np.int32), m.scratch[0].view(np.int32)
            return bind(packed.kernels[0], x, packed.weights, bias, m.outputs[0], band, bounds, *shared)

        return Prepared((shape,), build_float, (cut.band_bytes(window),))
    folded = numbers.bias - (numbers.zero_x + packed.raised) * packed.sums
    per_channel = [_spread(v, packed.groups, width, _INT32) for v in (folded, numbers.factor, numbers.shift)]
    band_type = np.dtype(np.uint8) if packed.raised else np.dtype(f"<i{cut.itemsize}")

    def build(m: Memory) -> Step:
        band = m.scratch[0].view(band_type)
        common: tuple[Array, ...] = shared
        if packed.kernels[1] is squares_int8.convolve_squares:
            common = (squares_int8.configuration(), _aligned((squares_int8.SCRATCH,), np.dtype(np.uint8)), *shared)
        return bind(packed.kernels[1], m.inputs[0], packed.weights, *per_channel, m.outputs[0], band, *common)

    return Prepared((shape,), build, (cut.band_bytes(window),))
