"""RESIZE_BILINEAR.

Integer arithmetic: ResizeBilinearInteger of TFLite's internal/reference/resize_bilinear.h, for uint8 too
(there LiteRT interpolates in float32).
"""

from __future__ import annotations

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite import shapes
from opconform.runtimes.lite.graph import Memory, Node, Prepared, Step
from opconform.runtimes.lite.jit import bind, kernel
from opconform.runtimes.lite.quantize import INT8, INT16, UINT8, same_quantization

_FLOAT = np.dtype(np.float32)

# cells: four rows of int64: y0, y1 for each output row, then x0, x1 for each output column;
# weights: the share of y1, then that of x1


@kernel
def resize_float(x: Array, cells: Array, weights: Array, out: Array, p: Array) -> None:
    """Interpolate float32 in float64. p: batch, height, width, channels, rows, columns."""
    height, width, channels, rows, columns = p[1], p[2], p[3], p[4], p[5]
    for line in range(p[0] * rows):
        b, r = line // rows, line % rows
        top, bottom, v = (b * height + cells[r]) * width, (b * height + cells[rows + r]) * width, weights[r]
        for c in range(columns):
            left, right, h = cells[2 * rows + c], cells[2 * rows + columns + c], weights[rows + c]
            for d in range(channels):
                upper = np.float64(x[(top + left) * channels + d]) * (1.0 - h)
                lower = np.float64(x[(bottom + left) * channels + d]) * (1.0 - h)
                if h != 0.0:
                    upper += np.float64(x[(top + right) * channels + d]) * h
                    lower += np.float64(x[(bottom + right) * channels + d]) * h
                value = upper * (1.0 - v) + lower * v if v != 0.0 else upper
                out[(line * columns + c) * channels + d] = np.float32(value)


@kernel
def resize_fixed(x: Array, cells: Array, weights: Array, out: Array, p: Array) -> None:
    """Interpolate integers with weights of 10 fractional bits; ties round away from zero."""
    height, width, channels, rows, columns = p[1], p[2], p[3], p[4], p[5]
    for line in range(p[0] * rows):
        b, r = line // rows, line % rows
        top, bottom, v = (b * height + cells[r]) * width, (b * height + cells[rows + r]) * width, weights[r]
        for c in range(columns):
            left, right, h = cells[2 * rows + c], cells[2 * rows + columns + c], weights[rows + c]
            for d in range(channels):
                upper = np.int64(x[(top + left) * channels + d]) * (1024 - h)
                upper += np.int64(x[(top + right) * channels + d]) * h
                lower = np.int64(x[(bottom + left) * channels + d]) * (1024 - h)
                lower += np.int64(x[(bottom + right) * channels + d]) * h
                total = upper * (1024 - v) + lower * v
                value = (abs(total) + 524288) >> 20
                out[(line * columns + c) * channels + d] = -value if total < 0 else value


_KERNELS = {_FLOAT: resize_float, UINT8: resize_fixed, INT8: resize_fixed, INT16: resize_fixed}


def prepare(node: Node) -> Prepared:
    """Prepare RESIZE_BILINEAR to the rows and columns in input 1."""
    x, size, out = node.input(0), node.input(1), node.output()
    if x.dtype != out.dtype or size.dtype != np.int32 or size.shape != (2,):
        raise node.invalid(
            f"dtypes {x.dtype}, {size.dtype}{list(size.shape)} -> {out.dtype}; T, int32[2] -> T is allowed"
        )
    if x.dtype not in _KERNELS:
        raise node.unsupported(f"{x.dtype} is not supported")
    corners, half = bool(node.options.number("align_corners")), bool(node.options.number("half_pixel_centers"))
    node.require(not (corners and half), "align_corners and half_pixel_centers exclude each other")
    node.require(len(x.shape) == 4, f"the input has rank {len(x.shape)}; 4 (NHWC) is allowed")
    same_quantization(node, x, out)
    rows, columns = shapes.values(node, size)
    batch, height, width, channels = x.shape
    node.require(0 < min(rows, columns) <= max(rows, columns) <= 1 << 24, f"a size of {rows} x {columns}")
    node.require(height > 0 and width > 0, f"nothing to interpolate in an input of {height} x {width}")
    rule = _real_axis if x.dtype == _FLOAT else _fixed_axis
    vertical, horizontal = rule(height, rows, corners, half), rule(width, columns, corners, half)
    cells = np.concatenate([vertical[0], vertical[1], horizontal[0], horizontal[1]])
    weights = np.concatenate([vertical[2], horizontal[2]])
    p = np.array([batch, height, width, channels, rows, columns])

    def build(m: Memory) -> Step:
        return bind(_KERNELS[x.dtype], m.inputs[0], cells, weights, m.outputs[0], p)

    return Prepared(((batch, rows, columns, channels),), build)


def _real_axis(extent: int, count: int, corners: bool, half: bool) -> tuple[Array, Array, Array]:
    """Return lower and upper cell and the share of the upper one, for each output cell of one axis."""
    stretch = corners and count > 1
    scale = (extent - stretch) / (count - stretch)
    at = (np.arange(count) + 0.5) * scale - 0.5 if half else np.arange(count) * scale
    lower = np.clip(np.floor(at).astype(np.int64), 0, extent - 1)
    upper = np.clip(np.ceil(at).astype(np.int64), 0, extent - 1)
    return lower, upper, at - lower


def _fixed_axis(extent: int, count: int, corners: bool, half: bool) -> tuple[Array, Array, Array]:
    """As `_real_axis`, with 10 fractional bits; a rounded scale may overshoot, hence the upper limit."""
    stretch = corners and count > 1
    scale = (1024 * (extent - stretch) + (count - stretch) // 2) // (count - stretch)
    at = np.arange(count) * scale + (scale // 2 - 512 if half else 0)
    lower = np.clip(at // 1024, 0, extent - 1)
    upper = np.minimum((at + 1023) // 1024, extent - 1)
    return lower, upper, at - 1024 * lower
