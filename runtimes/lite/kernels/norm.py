"""SOFTMAX and L2_NORMALIZATION along the last axis.

Quantized arithmetic: TFLite's internal/reference/softmax.h and integer_ops/l2normalization.h, tables of
TFLM's micro/kernels/softmax_common.cc.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from opconform.harness.model import Array, Shape
from opconform.runtimes.lite import cpu
from opconform.runtimes.lite.fixedpoint import (
    clamp,
    exp_negative,
    high_product,
    inverse_sqrt,
    inverse_sqrt_shift,
    leading_zeros,
    reciprocal,
    reciprocal_bits,
    rescale,
    rounding_shift,
    wrap32,
)
from opconform.runtimes.lite.floatmath import exp64
from opconform.runtimes.lite.graph import Memory, Node, Prepared, Step
from opconform.runtimes.lite.jit import Number, bind, helper, kernel
from opconform.runtimes.lite.kernels.tables import interpolation_table
from opconform.runtimes.lite.kernels.waves import softmax_vectors
from opconform.runtimes.lite.quantize import (
    INT8,
    INT16,
    RANGES,
    UINT8,
    activation,
    check_quantized,
    fixed_output,
    multiplier,
)

_FLOAT = np.dtype(np.float32)


@kernel
def softmax_float(x: Array, out: Array, beta: Array, p: Array) -> None:
    """Return exp(beta x) over its sum, each row shifted by its maximum; sums in float64."""
    for row in range(p[0]):
        start, end = row * p[1], (row + 1) * p[1]
        top = x[start]
        for i in range(start, end):
            top = x[i] if x[i] > top or x[i] != x[i] else top
        total = 0.0
        for i in range(start, end):
            total += exp64(np.float64(x[i] - top) * beta[0])
        for i in range(start, end):
            out[i] = np.float32(exp64(np.float64(x[i] - top) * beta[0]) / total)


@helper
def scaled_difference(difference: Number, q: Number, left: Number) -> Number:
    """Return the difference in Q5.26."""
    return high_product(wrap32(difference << left), q)


@kernel
def softmax_narrow(x: Array, out: Array, p: Array) -> None:
    """Return the softmax of 8-bit rows.

    p: rows, depth, q, left shift, lowest difference that counts, bits, lowest and highest of the output.
    """
    q, left, least = p[2], p[3], p[4]
    for row in range(p[0]):
        start, end = row * p[1], (row + 1) * p[1]
        top = np.int64(x[start])
        for i in range(start, end):
            top = max(top, np.int64(x[i]))
        total = np.int64(0)
        for i in range(start, end):
            difference = np.int64(x[i]) - top
            if difference >= least:
                e = exp_negative(scaled_difference(difference, q, left), 5)
                total = wrap32(total + rounding_shift(e, 12))
        scale, bits = reciprocal(total), reciprocal_bits(total, 12) + 31 - p[5]
        for i in range(start, end):
            difference = np.int64(x[i]) - top
            value = p[6]
            if difference >= least:
                e = exp_negative(scaled_difference(difference, q, left), 5)
                value += rounding_shift(high_product(scale, e), bits)
            out[i] = clamp(value, p[6], p[7])


@helper
def interpolated(table: Array, value: Number) -> Number:
    """Interpolate a table of 513 at an int16 value."""
    cell = 256 + (value >> 7)
    slope = np.int64(np.int16(table[cell + 1] - table[cell]))
    return np.int64(np.int16(np.int64(table[cell]) + ((slope * (value & 127) + 64) >> 7)))


@helper
def exp_wide(difference: Number, table: Array, q: Number, shift: Number) -> Number:
    """Return exp of a difference of int16, 15 fractional bits."""
    scaled = rescale(difference, q, shift) + 32767
    return interpolated(table, clamp(scaled, np.int64(-32768), np.int64(32767)))


@kernel
def softmax_wide(x: Array, exp_table: Array, reciprocal_table: Array, out: Array, p: Array) -> None:
    """Return the softmax of int16 rows by two tables. p: rows, depth, q, shift."""
    for row in range(p[0]):
        start, end = row * p[1], (row + 1) * p[1]
        top = np.int64(x[start])
        for i in range(start, end):
            top = max(top, np.int64(x[i]))
        total = np.int64(0)
        for i in range(start, end):
            total += exp_wide(np.int64(x[i]) - top, exp_table, p[2], p[3])
        zeros = leading_zeros(total)
        normal = ((total << (zeros - 1)) + 8192) >> 14
        factor = interpolated(reciprocal_table, clamp(normal - 98304, np.int64(-32768), np.int64(32767)))
        bits = 31 - zeros
        half = (np.int64(1) << bits) >> 1
        for i in range(start, end):
            e = exp_wide(np.int64(x[i]) - top, exp_table, p[2], p[3])
            out[i] = clamp((e * factor + half) >> bits, np.int64(0), np.int64(32767))


@kernel
def l2_float(x: Array, out: Array, p: Array) -> None:
    """Divide each row by its length, at least 1e-6; sums in float64."""
    for row in range(p[0]):
        total = 0.0
        for i in range(row * p[1], (row + 1) * p[1]):
            total += np.float64(x[i]) * np.float64(x[i])
        length = math.sqrt(total)
        length = 1e-6 if length < 1e-6 else length
        for i in range(row * p[1], (row + 1) * p[1]):
            out[i] = np.float32(np.float64(x[i]) / length)


@kernel
def l2_quantized(x: Array, out: Array, p: Array) -> None:
    """Scale each row by the fixed-point inverse of its length.

    p: rows, depth, zero point in and out, lowest, highest, bits by which inputs are shifted beforehand.
    """
    for row in range(p[0]):
        total = np.int64(0)
        for i in range(row * p[1], (row + 1) * p[1]):
            value = np.int64(x[i]) - p[2]
            total = wrap32(total + value * value)
        factor, shift = inverse_sqrt(total), 7 - p[6] - inverse_sqrt_shift(total)
        for i in range(row * p[1], (row + 1) * p[1]):
            out[i] = clamp(rescale((np.int64(x[i]) - p[2]) << p[6], factor, shift) + p[3], p[4], p[5])


def _rows(node: Node, shape: Shape) -> tuple[int, int]:
    if not shape:
        raise node.invalid("a tensor of rank 0 has no last axis; rank 1 at least is allowed")
    return (math.prod(shape[:-1]), shape[-1]) if shape[-1] else (0, 0)


def prepare_softmax(node: Node) -> Prepared:
    """Prepare SOFTMAX of float32, int8, uint8 (both also to int16) and int16."""
    x, out = node.input(0), node.output()
    rows, depth = _rows(node, x.shape)
    beta = node.options.real("beta")
    if x.dtype == out.dtype == _FLOAT:
        wide = cpu.vectors().lanes > 1
        p, factor = np.array([rows, depth]), np.array([beta], np.float32 if wide else np.float64)
        function = softmax_vectors if wide else softmax_float
        return Prepared((x.shape,), lambda m: bind(function, m.inputs[0], m.outputs[0], factor, p))
    if (x.dtype, out.dtype) not in _SOFTMAX_OUTPUT:
        raise node.unsupported(f"{x.dtype} -> {out.dtype} is not supported")
    check_quantized(node, x, out)
    fixed_output(node, out, *_SOFTMAX_OUTPUT[x.dtype, out.dtype])
    if x.dtype == INT16:
        node.require(x.zero_point == 0, f"the zero point {x.zero_point} of int16; only 0 is allowed")
        return _softmax_wide(node, x.shape, rows, depth, x.scale * beta)
    real = min(beta * x.scale * (1 << 26), 2.0**31 - 1.0)
    node.require(real > 1.0, f"beta {beta:g} times the input scale {x.scale:g} is too small to rescale by")
    q, left = multiplier(node, real)
    least = -math.floor(31.0 * (1 << 26) / 2.0**left)
    p = np.array([rows, depth, q, left, least, 8 * out.dtype.itemsize, *RANGES[out.dtype]])
    return Prepared((x.shape,), lambda m: bind(softmax_narrow, m.inputs[0], m.outputs[0], p))


_SOFTMAX_OUTPUT = {
    (INT8, INT8): (1 / 256, -128),
    (UINT8, UINT8): (1 / 256, 0),
    (INT8, INT16): (1 / 65536, -32768),
    (UINT8, INT16): (1 / 65536, -32768),
    (INT16, INT16): (1 / 32768, 0),
}


def _softmax_wide(node: Node, shape: Shape, rows: int, depth: int, scale: float) -> Prepared:
    exp_table, inverse = _softmax_tables()
    p = np.array([rows, depth, *multiplier(node, scale / (10.0 / 65535.0))])
    return Prepared((shape,), lambda m: bind(softmax_wide, m.inputs[0], exp_table, inverse, m.outputs[0], p))


@functools.cache
def _softmax_tables() -> tuple[Array, Array]:
    """Return the tables of exp(x) over [-10, 0] and of 1 / (1 + x) over [0, 1]; they depend on nothing."""
    span = np.float32(65535.0)
    ten, two, one = (float(np.float32(number) / span) for number in (10.0, 2.0, 1.0))
    return interpolation_table(np.exp, ten, 32767, two), interpolation_table(lambda v: 1 / (1 + v), one, -32768, two)


def prepare_l2(node: Node) -> Prepared:
    """Prepare L2_NORMALIZATION of float32, int8 and uint8."""
    x, out = node.input(0), node.output()
    if x.dtype != out.dtype:
        raise node.invalid(f"dtypes {x.dtype} -> {out.dtype}; both must be the same")
    node.require(activation(node) == "NONE", "no fused activation is allowed")
    rows, depth = _rows(node, x.shape)
    numbers = [rows, depth]
    if x.dtype in (INT8, UINT8):
        check_quantized(node, x)
        fixed_output(node, out, 1 / 128, 128 if x.dtype == UINT8 else 0)
        numbers += [x.zero_point, out.zero_point, *RANGES[x.dtype], 7 if x.dtype == UINT8 else 0]
    elif x.dtype != _FLOAT:
        raise node.unsupported(f"{x.dtype} is not supported")
    p = np.array(numbers)

    def build(m: Memory) -> Step:
        return bind(l2_float if x.dtype == _FLOAT else l2_quantized, m.inputs[0], m.outputs[0], p)

    return Prepared((x.shape,), build)
