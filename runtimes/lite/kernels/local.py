"""LOG_SOFTMAX, LOCAL_RESPONSE_NORMALIZATION and L2_POOL_2D.

Quantized arithmetic: TFLite's internal/reference/log_softmax.h and the logarithm in internal/common.h.
"""

from __future__ import annotations

import math

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite.fixedpoint import (
    INT32_MAX,
    INT32_MIN,
    clamp,
    exp_negative,
    high_product,
    leading_zeros,
    one_over_one_plus,
    rescale,
    rounding_shift,
    saturating_left_shift,
    wrap32,
)
from opconform.runtimes.lite.floatmath import exp64
from opconform.runtimes.lite.graph import Memory, Node, Prepared, Step
from opconform.runtimes.lite.jit import Number, bind, helper, kernel
from opconform.runtimes.lite.kernels.norm import _rows as rows_of
from opconform.runtimes.lite.kernels.pool import _geometry as geometry
from opconform.runtimes.lite.kernels.pool import average_pool_float
from opconform.runtimes.lite.quantize import INT8, RANGES, UINT8, check_quantized, fixed_output, float_range, multiplier

_FLOAT = np.dtype(np.float32)


@kernel
def log_softmax_float(x: Array, out: Array, p: Array) -> None:
    """Return x less its row's maximum and the logarithm of the sum of exponentials, in float64."""
    for row in range(p[0]):
        start, end = row * p[1], (row + 1) * p[1]
        top = x[start]
        for i in range(start, end):
            top = x[i] if x[i] > top or x[i] != x[i] else top
        total = 0.0
        for i in range(start, end):
            total += exp64(np.float64(x[i]) - np.float64(top))
        total = math.log(total) + np.float64(top)
        for i in range(start, end):
            out[i] = np.float32(np.float64(x[i]) - total)


@helper
def log_ratio(r: Number) -> Number:
    """Return ln(r) + ln(2) / 4 in Q6.25 for r around 2**(-1/4), Q0.31."""
    q = 2 * (r - 1805811301)
    square = high_product(q, q)
    top = high_product(q, r) + high_product(high_product(q, square), 117049297)
    inner = 1057819769 + q + high_product(square, 127690142)
    bottom = high_product((r + 1805811302) >> 1, inner) + high_product(q, 638450708)
    return high_product(rounding_shift(top, 6), one_over_one_plus(bottom))


@helper
def log_of_sum(total: Number) -> Number:
    """Return ln(total) in Q5.26 for total >= 1 in Q12.19: an exponent in quarters and the logarithm of the rest."""
    zeros = leading_zeros(total)
    room = leading_zeros(high_product(total, 1518500250)) - 1
    first = saturating_left_shift(high_product(total << (zeros - 1), 1518500250), 1)
    second = saturating_left_shift(total, room)
    exponent = max(((12 - zeros) << 25) + 8388608, ((12 - room) << 25) - 8388608)
    whole = high_product(exponent, 1488522236)
    return saturating_left_shift(whole + log_ratio(min(first, second)), 1)


@kernel
def log_softmax_narrow(x: Array, out: Array, p: Array) -> None:
    """Return the logarithm of softmax of 8-bit rows, in sixteenths.

    p: rows, depth, q, left shift, lowest difference that counts, q and shift of the inverse, lowest and highest.
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
                e = exp_negative(high_product(wrap32(difference << left), q), 5)
                total = min(total + rounding_shift(e, 12), np.int64(INT32_MAX))
        logarithm = log_of_sum(total)
        lowest = max(least - 1, rescale(logarithm + INT32_MIN, p[5], p[6]))
        for i in range(start, end):
            difference = np.int64(x[i]) - top
            value = p[7]
            if difference > lowest:
                fixed = high_product(wrap32(difference << left), q)
                value = rounding_shift(fixed - logarithm, 22) + p[8]
            out[i] = clamp(value, p[7], p[8])


@kernel
def local_response(x: Array, out: Array, factors: Array, p: Array) -> None:
    """Divide by (bias + alpha * sum of squares)**beta. p: rows, channels, radius; factors: bias, alpha, beta."""
    for row in range(p[0]):
        for c in range(p[1]):
            total = 0.0
            for i in range(max(c - p[2], 0), min(c + p[2] + 1, p[1])):
                value = np.float64(x[row * p[1] + i])
                total += value * value
            base = factors[0] + factors[1] * total
            out[row * p[1] + c] = np.float32(np.float64(x[row * p[1] + c]) * math.exp(-factors[2] * math.log(base)))


def prepare_log_softmax(node: Node) -> Prepared:
    """Prepare LOG_SOFTMAX of float32, int8 and uint8."""
    x, out = node.input(0), node.output()
    if x.dtype != out.dtype:
        raise node.invalid(f"dtypes {x.dtype} -> {out.dtype}; both must be the same")
    rows, depth = rows_of(node, x.shape)
    if x.dtype == _FLOAT:
        p = np.array([rows, depth])
        return Prepared((x.shape,), lambda m: bind(log_softmax_float, m.inputs[0], m.outputs[0], p))
    if x.dtype not in (INT8, UINT8):
        raise node.unsupported(f"{x.dtype} is not supported")
    node.require(depth <= 4095, f"a row of {depth}; up to 4095 elements are allowed, whose sum has 12 bits")
    check_quantized(node, x)
    fixed_output(node, out, 1 / 16, RANGES[x.dtype][1])
    real = min(x.scale * (1 << 26), 2.0**31 - 1.0)
    node.require(real > 1.0, f"the input scale {x.scale:g} is too small to rescale by")
    q, left = multiplier(node, real)
    least = -math.floor(31.0 * (1 << 26) / 2.0**left)
    inverse = multiplier(node, 2.0 ** (31 - left) / q)
    narrow = np.array([rows, depth, q, left, least, *inverse, *RANGES[x.dtype]])
    return Prepared((x.shape,), lambda m: bind(log_softmax_narrow, m.inputs[0], m.outputs[0], narrow))


def prepare_response(node: Node) -> Prepared:
    """Prepare LOCAL_RESPONSE_NORMALIZATION of float32."""
    x, out = node.input(0), node.output()
    if x.dtype != _FLOAT or out.dtype != _FLOAT:
        raise node.invalid(f"dtypes {x.dtype} -> {out.dtype}; float32 -> float32 is allowed")
    node.require(len(x.shape) == 4, f"the input has rank {len(x.shape)}; 4 (NHWC) is allowed")
    radius = node.options.number("radius")
    node.require(radius >= 0, f"radius {radius}; it must not be negative")
    factors = np.array([node.options.real(name) for name in ("bias", "alpha", "beta")])
    p = np.array([math.prod(x.shape[:3]), x.shape[3], radius])
    return Prepared((x.shape,), lambda m: bind(local_response, m.inputs[0], m.outputs[0], factors, p))


def prepare_l2_pool(node: Node) -> Prepared:
    """Prepare L2_POOL_2D of float32: the average pool of the squares, and a root."""
    x, out = node.input(0), node.output()
    if x.dtype != _FLOAT or out.dtype != _FLOAT:
        raise node.invalid(f"dtypes {x.dtype} -> {out.dtype}; float32 -> float32 is allowed")
    shape, p = geometry(node, x.shape)
    low, high = (np.float32(bound) for bound in float_range(node))
    no_bounds = np.array([-math.inf, math.inf], np.float32)

    def build(m: Memory) -> Step:
        squares, y = m.scratch[0].view(np.float32), m.outputs[0]
        pool = bind(average_pool_float, squares, y, no_bounds, p)

        def run() -> None:
            np.multiply(m.inputs[0], m.inputs[0], out=squares)
            pool()
            np.sqrt(y, out=y)
            np.maximum(y, low, out=y)
            np.minimum(y, high, out=y)

        return run

    return Prepared((shape,), build, scratch=(4 * x.size,))
