"""AVERAGE_POOL_2D and MAX_POOL_2D: windows over the middle axes of NHWC tensors; padding does not count."""

from __future__ import annotations

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite import shapes
from opconform.runtimes.lite.fixedpoint import clamp
from opconform.runtimes.lite.graph import Node, Prepared
from opconform.runtimes.lite.jit import Number, bind, helper, kernel
from opconform.runtimes.lite.quantize import (
    INT8,
    INT16,
    UINT8,
    check_quantized,
    float_range,
    integer_range,
    quantized_range,
    same_quantization,
)

_FLOAT = np.dtype(np.float32)


@helper
def window_start(index: Number, stride: Number, padding: Number) -> Number:
    """Return where a window begins inside the tensor."""
    return max(index * stride - padding, 0)


@helper
def window_end(index: Number, stride: Number, padding: Number, size: Number, extent: Number) -> Number:
    """Return where a window ends inside the tensor."""
    return min(index * stride - padding + size, extent)


@kernel
def max_pool(x: Array, out: Array, bounds: Array, p: Array) -> None:
    """Return the largest value of each window, limited; bounds have the dtype of the values."""
    height, width, channels, rows, columns = p[1], p[2], p[3], p[4], p[5]
    position = 0
    for b in range(p[0]):
        for i in range(rows * columns):
            top, left = window_start(i // columns, p[6], p[8]), window_start(i % columns, p[7], p[9])
            bottom = window_end(i // columns, p[6], p[8], p[10], height)
            right = window_end(i % columns, p[7], p[9], p[11], width)
            for c in range(channels):
                best = x[((b * height + top) * width + left) * channels + c]
                for y in range(top, bottom):
                    for z in range(left, right):
                        value = x[((b * height + y) * width + z) * channels + c]
                        best = value if value > best or value != value else best
                best = bounds[0] if best < bounds[0] else best
                out[position] = bounds[1] if best > bounds[1] else best
                position += 1


@kernel
def average_pool_integer(x: Array, out: Array, p: Array) -> None:
    """Return the mean of each window, rounded to nearest with ties away from zero, limited to p[12], p[13]."""
    height, width, channels, rows, columns = p[1], p[2], p[3], p[4], p[5]
    position = 0
    for b in range(p[0]):
        for i in range(rows * columns):
            top, left = window_start(i // columns, p[6], p[8]), window_start(i % columns, p[7], p[9])
            bottom = window_end(i // columns, p[6], p[8], p[10], height)
            right = window_end(i % columns, p[7], p[9], p[11], width)
            count = (bottom - top) * (right - left)
            for c in range(channels):
                total = np.int64(0)
                for y in range(top, bottom):
                    for z in range(left, right):
                        total += np.int64(x[((b * height + y) * width + z) * channels + c])
                mean = (total + count // 2) // count if total > 0 else -((count // 2 - total) // count)
                out[position] = clamp(mean, p[12], p[13])
                position += 1


@kernel
def average_pool_float(x: Array, out: Array, bounds: Array, p: Array) -> None:
    """Return the mean of each window, summed in float64, limited."""
    height, width, channels, rows, columns = p[1], p[2], p[3], p[4], p[5]
    position = 0
    for b in range(p[0]):
        for i in range(rows * columns):
            top, left = window_start(i // columns, p[6], p[8]), window_start(i % columns, p[7], p[9])
            bottom = window_end(i // columns, p[6], p[8], p[10], height)
            right = window_end(i % columns, p[7], p[9], p[11], width)
            for c in range(channels):
                total = 0.0
                for y in range(top, bottom):
                    for z in range(left, right):
                        total += np.float64(x[((b * height + y) * width + z) * channels + c])
                mean = np.float32(total / np.float64((bottom - top) * (right - left)))
                mean = bounds[0] if mean < bounds[0] else mean
                out[position] = bounds[1] if mean > bounds[1] else mean
                position += 1


def prepare(node: Node) -> Prepared:
    """Prepare either pool."""
    x, out = node.input(0), node.output()
    if x.dtype != out.dtype:
        raise node.invalid(f"dtypes {x.dtype} -> {out.dtype}; both must be the same")
    if x.dtype not in (_FLOAT, INT8, UINT8, INT16):
        raise node.unsupported(f"{x.dtype} is not supported")
    shape, p = _geometry(node, x.shape)
    if x.dtype == _FLOAT:
        bounds = np.array(float_range(node), np.float32)
    elif out.quantization is None:
        bounds = np.array(integer_range(node, x.dtype), x.dtype)
    else:
        check_quantized(node, x, out)
        same_quantization(node, x, out)
        bounds = np.array(quantized_range(node, out), x.dtype)
    if node.op == "MAX_POOL_2D":
        return Prepared((shape,), lambda m: bind(max_pool, m.inputs[0], m.outputs[0], bounds, p))
    if x.dtype == _FLOAT:
        return Prepared((shape,), lambda m: bind(average_pool_float, m.inputs[0], m.outputs[0], bounds, p))
    limited = np.concatenate([p, bounds.astype(np.int64)])
    return Prepared((shape,), lambda m: bind(average_pool_integer, m.inputs[0], m.outputs[0], limited))


def _geometry(node: Node, shape: tuple[int, ...]) -> tuple[tuple[int, ...], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    if len(shape) != 4:
        raise node.invalid(f"the input has rank {len(shape)}; 4 (NHWC) is allowed")
    batch, height, width, channels = shape
    number = node.options.number
    same = _same(node)
    high, wide = number("filter_h"), number("filter_w")
    step_h, step_w = number("stride_h"), number("stride_w")
    rows, top = shapes.window(node, height, high, step_h, 1, same)
    columns, left = shapes.window(node, width, wide, step_w, 1, same)
    extents = [batch, height, width, channels, rows, columns, step_h, step_w, top, left, high, wide]
    return (batch, rows, columns, channels), np.array(extents, np.int64)


def _same(node: Node) -> bool:
    code = node.options.number("padding")
    node.require(code in (0, 1), f"padding code {code}; 0 (SAME) and 1 (VALID) are allowed")
    return code == 0
