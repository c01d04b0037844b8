"""QUANTIZE and DEQUANTIZE.

Arithmetic: TFLite's internal/reference/{quantize,requantize,dequantize}.h.
"""

from __future__ import annotations

import math

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite import shapes
from opconform.runtimes.lite.fixedpoint import clamp, rescale
from opconform.runtimes.lite.graph import Memory, Node, Operand, Prepared, Step
from opconform.runtimes.lite.jit import Number, bind, kernel
from opconform.runtimes.lite.quantize import (
    INT8,
    INT16,
    INT32,
    RANGES,
    UINT8,
    check_quantized,
    check_scales,
    multiplier,
)

_FLOAT = np.dtype(np.float32)
_REQUANTIZED = {
    INT8: (INT8, UINT8, INT16, INT32),
    UINT8: (INT8, UINT8, INT16),
    INT16: (INT8, INT16, INT32),
    INT32: (INT8, INT16),
}


@kernel
def quantize_float(x: Array, scale: Array, zero_point: Array, out: Array, p: Array) -> None:
    """Return round(x / scale) + zero point, ties away from zero, limited; the quotient is formed in float32.

    p: outer, channels, inner extents, lowest, highest value. NaN gives the zero point.
    """
    outer, channels, inner, low, high = p[0], p[1], p[2], p[3], p[4]
    for o in range(outer * channels):
        step, zero = scale[o % channels], np.float64(zero_point[o % channels])
        for i in range(o * inner, (o + 1) * inner):
            quotient = np.float64(x[i] / step)
            value: Number = math.floor(abs(quotient) + 0.5)
            value = (-value if quotient < 0 else value) + zero
            value = np.float64(low) if value < low else value
            value = np.float64(high) if value > high else value
            out[i] = np.int64(value if value == value else zero)


@kernel
def requantize(x: Array, out: Array, p: Array) -> None:
    """Move integers from one scale to another."""
    for i in range(p[0]):
        out[i] = clamp(rescale(np.int64(x[i]) - p[1], p[3], p[4]) + p[2], p[5], p[6])


@kernel
def dequantize(x: Array, scale: Array, zero_point: Array, out: Array, p: Array) -> None:
    """Return scale * (q - zero point), the product in float64. p: outer, channels, inner extents."""
    outer, channels, inner = p[0], p[1], p[2]
    for o in range(outer * channels):
        step, zero = np.float64(scale[o % channels]), zero_point[o % channels]
        for i in range(o * inner, (o + 1) * inner):
            out[i] = np.float32(step * np.float64(np.int64(x[i]) - zero))


def prepare_quantize(node: Node) -> Prepared:
    """Prepare QUANTIZE: from float32 per tensor or per channel, or from one integer type to another."""
    x, out = node.input(0), node.output()
    if x.dtype == _FLOAT and out.dtype in (INT8, UINT8, INT16):
        check_scales(node, out)
        scale, zero_point, extents = _channels(node, out, x.shape)
        p = np.array([*extents, *RANGES[out.dtype]])
        return Prepared((x.shape,), lambda m: bind(quantize_float, m.inputs[0], scale, zero_point, m.outputs[0], p))
    if out.dtype not in _REQUANTIZED.get(x.dtype, ()):
        raise node.unsupported(f"{x.dtype} -> {out.dtype} is not supported")
    check_quantized(node, x, out)
    if x.dtype == out.dtype == INT16:
        node.require(x.zero_point == out.zero_point == 0, "int16 to int16 needs zero points of 0")
    rule = multiplier(node, x.scale / out.scale)
    p = np.array([x.size, x.zero_point, out.zero_point, *rule, *RANGES[out.dtype]])
    return Prepared((x.shape,), lambda m: bind(requantize, m.inputs[0], m.outputs[0], p))


def prepare_dequantize(node: Node) -> Prepared:
    """Prepare DEQUANTIZE: 8- and 16-bit integers per tensor or per channel, and float16, to float32."""
    x, out = node.input(0), node.output()
    if out.dtype != _FLOAT:
        raise node.invalid(f"the output is {out.dtype}; float32 is allowed")
    if x.dtype == np.float16:
        return Prepared((x.shape,), _widen)
    if x.dtype not in (INT8, UINT8, INT16):
        raise node.unsupported(f"{x.dtype} is not supported")
    check_scales(node, x)
    scale, zero_point, extents = _channels(node, x, x.shape)
    p = np.array(extents)
    return Prepared((x.shape,), lambda m: bind(dequantize, m.inputs[0], scale, zero_point, m.outputs[0], p))


def _widen(m: Memory) -> Step:
    return lambda: np.copyto(m.outputs[0], m.inputs[0])


def _channels(node: Node, operand: Operand, shape: tuple[int, ...]) -> tuple[Array, Array, tuple[int, int, int]]:
    """Return scales, zero points and the extents before, along and behind the quantized axis."""
    quantization = operand.quantization
    assert quantization is not None  # check_scales has seen it
    scale = np.array(quantization.scale, np.float32)
    zero_point = np.array(quantization.zero_point, np.int64)
    if len(scale) == 1:
        return scale, zero_point, (1, 1, math.prod(shape))
    axis = shapes.axis(node, quantization.axis, len(shape))
    if shape[axis] != len(scale):
        raise node.invalid(f"{len(scale)} scales along axis {axis} of {list(shape)}")
    return scale, zero_point, (math.prod(shape[:axis]), len(scale), math.prod(shape[axis + 1 :]))
