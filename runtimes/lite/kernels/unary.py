"""ABS, EXP, RSQRT, LOGISTIC, TANH and HARD_SWISH.

8-bit rows evaluate their definition once for all 256 inputs and look results up. Quantized arithmetic:
TFLM's micro/kernels/elementwise.cc, internal/reference/integer_ops/{logistic,tanh}.h, internal/reference/hard_swish.h,
and LUTPopulate of internal/common.h.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite import cpu
from opconform.runtimes.lite.fixedpoint import (
    clamp,
    inverse_sqrt,
    inverse_sqrt_shift,
    logistic_fixed,
    rescale,
    rounding_shift,
    tanh_fixed,
)
from opconform.runtimes.lite.floatmath import exp64, tanh64
from opconform.runtimes.lite.graph import Memory, Node, Operand, Prepared, Step
from opconform.runtimes.lite.jit import Number, bind, helper, kernel
from opconform.runtimes.lite.kernels.tables import SIGMOID, interpolation_table, narrow_table
from opconform.runtimes.lite.kernels.waves import exp_vectors, tanh_vectors
from opconform.runtimes.lite.quantize import (
    INT8,
    INT16,
    RANGES,
    UINT8,
    check_quantized,
    fixed_output,
    float32,
    multiplier,
)

ABS, EXP, RSQRT, LOGISTIC, TANH, HARD_SWISH = 0, 1, 2, 3, 4, 5
_OPS = {"ABS": ABS, "EXP": EXP, "RSQRT": RSQRT, "LOGISTIC": LOGISTIC, "TANH": TANH, "HARD_SWISH": HARD_SWISH}
_FLOAT = np.dtype(np.float32)
Kernel = Callable[..., None]


@kernel
def exp_float(x: Array, out: Array, p: Array) -> None:
    """Return exp(x)."""
    for i in range(p[0]):
        out[i] = np.float32(exp64(np.float64(x[i])))


@kernel
def logistic_float(x: Array, out: Array, p: Array) -> None:
    """Return 1 / (1 + exp(-x))."""
    for i in range(p[0]):
        out[i] = np.float32(1.0 / (1.0 + exp64(-np.float64(x[i]))))


@kernel
def tanh_float(x: Array, out: Array, p: Array) -> None:
    """Return tanh(x)."""
    for i in range(p[0]):
        out[i] = np.float32(tanh64(np.float64(x[i])))


@kernel
def rsqrt_float(x: Array, out: Array, p: Array) -> None:
    """Return 1 / sqrt(x): infinity at zero, NaN below."""
    for i in range(p[0]):
        out[i] = np.float32(1.0 / math.sqrt(np.float64(x[i])))


@kernel
def hard_swish_float(x: Array, out: Array, p: Array) -> None:
    """Return x * min(max(x + 3, 0), 6) / 6, the sum and the products rounded once, at the end."""
    for i in range(p[0]):
        v = np.float64(x[i])
        gate: Number = v + 3.0
        gate = 0.0 if gate < 0.0 else gate
        gate = 6.0 if gate > 6.0 else gate
        out[i] = np.float32(v * gate / 6.0)


@kernel
def abs_plain(x: Array, out: Array, p: Array) -> None:
    """Return |x| of floats, and of integers without overflow: the smallest integer stays itself."""
    for i in range(p[0]):
        out[i] = abs(x[i])


@kernel
def abs_quantized(x: Array, out: Array, p: Array) -> None:
    """Return |x| on the output's scale."""
    for i in range(p[0]):
        value = abs(np.int64(x[i]) - p[1])
        if p[3] != 0:
            value = rescale(value, p[3], p[4])
        out[i] = clamp(value + p[2], p[5], p[6])


@helper
def rsqrt_fixed(value: Number, q: Number, shift: Number) -> Number:
    """Return 1 / sqrt(value) with 20 more bits, rescaled."""
    data = rescale(np.int64(1), inverse_sqrt(value), 20 - inverse_sqrt_shift(value))
    return rescale(data, q, shift - 20)


@kernel
def rsqrt_quantized(x: Array, out: Array, p: Array) -> None:
    """Return 1 / sqrt(x), the largest output at zero; p[7] becomes the number of negative inputs."""
    p[7] = 0
    for i in range(p[0]):
        value = np.int64(x[i]) - p[1]
        p[7] += np.int64(value < 0)
        out[i] = clamp(rsqrt_fixed(value, p[3], p[4]) + p[2], p[5], p[6]) if value > 0 else p[6]


@kernel
def logistic_narrow(x: Array, out: Array, p: Array) -> None:
    """Return the logistic function of int8 with 8 fractional bits; inputs beyond the radius p[4] saturate."""
    for i in range(p[0]):
        value = np.int64(x[i]) - p[1]
        if abs(value) >= p[4]:
            out[i] = 127 if value > 0 else -128
        else:
            out[i] = clamp(rounding_shift(logistic_fixed(rescale(value, p[2], p[3])), 23) - 128, -128, 127)


@kernel
def tanh_narrow(x: Array, out: Array, p: Array) -> None:
    """Return tanh of int8 with 7 fractional bits; inputs beyond the radius p[4] saturate."""
    for i in range(p[0]):
        value = np.int64(x[i]) - p[1]
        if abs(value) >= p[4]:
            out[i] = 127 if value > 0 else -128
        else:
            out[i] = clamp(rounding_shift(tanh_fixed(rescale(value, p[2], p[3])), 24), -128, 127)


@kernel
def logistic_wide(x: Array, table: Array, out: Array, p: Array) -> None:
    """Return the logistic function of int16 by interpolating a table of 256 over [0, 10.7)."""
    for i in range(p[0]):
        value = (np.int64(x[i]) * p[1] + p[3]) >> p[2]
        size = abs(value)
        cell = size >> 9
        result = np.int64(32767) << 10
        if cell < 255:
            low, high = np.int64(table[cell]), np.int64(table[cell + 1])
            result = (low << 9) + (size & 511) * (high - low)
        result = result + 512 if value >= 0 else (1 << 25) - result + 511
        out[i] = result >> 10


@kernel
def tanh_wide(x: Array, table: Array, out: Array, p: Array) -> None:
    """Return tanh of int16 as 2 * logistic(2x) - 1 from the same table."""
    for i in range(p[0]):
        value = (np.int64(x[i]) * p[1] + p[3]) >> p[2]
        size = abs(value)
        cell = size >> 8
        result = np.int64(65535) << 8
        if cell < 255:
            low, high = np.int64(table[cell]), np.int64(table[cell + 1])
            result = (low << 8) + (size & 255) * (high - low)
        result = result - 8388608 + 128 if value >= 0 else -result + 8388608 + 127
        out[i] = result >> 8


@helper
def half_product(a: Number, b: Number) -> Number:
    """Return round(a * b / 2**15) of int16, ties up, saturating."""
    return min((a * b + 16384) >> 15, np.int64(32767))


@helper
def shift16(x: Number, bits: Number) -> Number:
    """Return x * 2**bits, limited to int16."""
    return clamp(x << bits, np.int64(-32768), np.int64(32767))


@kernel
def hard_swish_quantized(x: Array, out: Array, p: Array) -> None:
    """Return x * relu6(x + 3) / 6 in 16 bits, step by step as the reference does."""
    zero_in, zero_out, factor, exponent, gate_factor, gate_exponent = p[1], p[2], p[3], p[4], p[5], p[6]
    for i in range(p[0]):
        # |x - zero point| <= 255: the product with 128 fits in int16
        fine = (np.int64(x[i]) - zero_in) << 7
        scaled = half_product(fine, factor)
        gate = shift16(fine, gate_exponent - 1) if gate_exponent > 0 else fine
        gate = half_product(gate, gate_factor)
        if gate_exponent > 0:
            gate = shift16(gate, np.int64(1))
        if gate_exponent < 0:
            gate = rounding_shift(gate, -gate_exponent)
        product = ((gate + 32768) >> 1) * scaled
        product = -(-product >> 15) if product < 0 else product >> 15
        out[i] = clamp(rounding_shift(product, -exponent) + zero_out, p[7], p[8])


@kernel
def look_up(x: Array, table: Array, out: Array, p: Array) -> None:
    """Replace every byte by its entry; the table holds 8-, 16- or 32-bit results."""
    for i in range(p[0]):
        out[i] = table[x[i]]


@kernel
def interpolate(x: Array, table: Array, out: Array, p: Array) -> None:
    """Interpolate a table of 513 over the whole range of int16; the slope wraps to int16 as in the reference."""
    for i in range(p[0]):
        value = np.int64(x[i])
        cell = 256 + (value >> 7)
        slope = np.int64(np.int16(table[cell + 1] - table[cell]))
        out[i] = np.int64(table[cell]) + ((slope * (value & 127) + 64) >> 7)


def prepare(node: Node) -> Prepared:
    """Prepare any of the six."""
    x, out = node.input(0), node.output()
    if x.dtype != out.dtype:
        raise node.invalid(f"dtypes {x.dtype} -> {out.dtype}; both must be the same")
    if x.dtype == _FLOAT or _is_plain(node, x):
        function = _float_kernel(node.op)
        return Prepared((x.shape,), lambda m: bind(function, m.inputs[0], m.outputs[0], np.array([x.size])))
    if (node.op, x.dtype) in ((n, d) for n, ds in _QUANTIZED.items() for d in ds):
        check_quantized(node, x, out)
        return Prepared((x.shape,), _WIDE[node.op](node, x, out) if x.dtype == INT16 else _narrow(node, x, out))
    raise node.unsupported(f"{x.dtype} is not supported")


def _is_plain(node: Node, x: Operand) -> bool:
    return node.op == "ABS" and (x.dtype == np.int32 or (x.dtype == INT16 and x.quantization is None))


def _float_kernel(op: str) -> Kernel:
    """Return the kernel of an op: vector code where there is some."""
    return _VECTORS[op] if op in _VECTORS and cpu.vectors().lanes > 1 else _FLOATS[op]


_VECTORS = {"EXP": exp_vectors, "TANH": tanh_vectors}
_FLOATS = {
    "ABS": abs_plain,
    "EXP": exp_float,
    "RSQRT": rsqrt_float,
    "LOGISTIC": logistic_float,
    "TANH": tanh_float,
    "HARD_SWISH": hard_swish_float,
}
_QUANTIZED = {
    "ABS": (INT8, INT16),
    "EXP": (INT8, INT16),
    "RSQRT": (INT8, INT16),
    "LOGISTIC": (INT8, UINT8, INT16),
    "TANH": (INT8, UINT8, INT16),
    "HARD_SWISH": (INT8, UINT8),
}
Build = Callable[[Memory], Step]


def _narrow(node: Node, x: Operand, out: Operand) -> Build:
    table = _table(node, x, out)
    size = np.array([x.size])
    lowest = x.zero_point if node.op == "RSQRT" else None

    def build(m: Memory) -> Step:
        step = bind(look_up, m.inputs[0].view(np.uint8), table.view(np.uint8), m.outputs[0].view(np.uint8), size)
        return step if lowest is None else _not_below(node, step, m.inputs[0], lowest)

    return build


def _not_below(node: Node, step: Step, x: Array, lowest: int) -> Step:
    def run() -> None:
        if x.size and x.min() < lowest:
            raise node.invalid("a negative input has no square root")
        step()

    return run


def _table(node: Node, x: Operand, out: Operand) -> Array:
    """Return the results for all 256 bytes."""
    if node.op == "EXP":
        return narrow_table(np.exp, x, out)
    # LOGISTIC and TANH of uint8 are those of int8, all values 128 higher; LiteRT has a float table for them, which
    # differs in some four of a million entries
    raised = x.dtype == UINT8 and node.op in ("LOGISTIC", "TANH")
    inputs = np.arange(256, dtype=np.uint8)
    inputs = (inputs ^ 128).view(np.int8) if raised else inputs.view(x.dtype)
    table: Array = np.empty_like(inputs)
    function, numbers = _FIXED_POINT[node.op](node, x, out)
    bind(function, inputs, table, np.array([256, *numbers]))()
    return table.view(np.uint8) ^ 128 if raised else table


_FIXED = {
    ("LOGISTIC", INT8): (1 / 256, -128),
    ("LOGISTIC", UINT8): (1 / 256, 0),
    ("LOGISTIC", INT16): (1 / 32768, 0),
    ("TANH", INT8): (1 / 128, 0),
    ("TANH", UINT8): (1 / 128, 128),
    ("TANH", INT16): (1 / 32768, 0),
}
Numbers = tuple[Kernel, list[int]]


def _abs(node: Node, x: Operand, out: Operand) -> Numbers:
    q, shift = (0, 0) if x.scale == out.scale else multiplier(node, x.scale / out.scale)
    return abs_quantized, [x.zero_point, out.zero_point, q, shift, *RANGES[x.dtype]]


def _rsqrt(node: Node, x: Operand, out: Operand) -> Numbers:
    root = math.sqrt(x.scale) * out.scale
    node.require(root > 0, f"the scales {x.scale:g} and {out.scale:g} are too small")
    return rsqrt_quantized, [x.zero_point, out.zero_point, *multiplier(node, 1.0 / root), *RANGES[x.dtype], 0]


def _saturating(node: Node, x: Operand, out: Operand) -> Numbers:
    fixed_output(node, out, *_FIXED[node.op, x.dtype])
    zero_point = x.zero_point - 128 if x.dtype == UINT8 else x.zero_point
    q, shift = multiplier(node, x.scale * (1 << 27))
    # the largest |input| whose rescaled value still fits in Q4.27
    radius = math.floor(15.0 * (1 << 27) / 2.0**shift)
    return (logistic_narrow if node.op == "LOGISTIC" else tanh_narrow), [zero_point, q, shift, min(radius, 1 << 30)]


def _hard_swish(node: Node, x: Operand, out: Operand) -> Numbers:
    fine = float32(float32(1.0 / 128.0) * x.scale)
    q, exponent = multiplier(node, float32(fine / out.scale))
    node.require(exponent <= 0, f"the output scale {out.scale:g} is too small for the input scale {x.scale:g}")
    gate_q, gate_exponent = multiplier(node, float32(fine / float32(3.0 / 32768.0)))
    numbers = [x.zero_point, out.zero_point, _upper(q), exponent, _upper(gate_q), min(gate_exponent, 24)]
    return hard_swish_quantized, [*numbers, *RANGES[x.dtype]]


def _upper(q: int) -> int:
    """Reduce a 31-bit multiplier to 15 bits, rounded."""
    return 32767 if q >= 2147483647 - 32768 else (q + 32768) >> 16


_FIXED_POINT = {"ABS": _abs, "RSQRT": _rsqrt, "LOGISTIC": _saturating, "TANH": _saturating, "HARD_SWISH": _hard_swish}


def _wide_exp(node: Node, x: Operand, out: Operand) -> Build:
    table = interpolation_table(np.exp, x.scale, 0, out.scale)
    return lambda m: bind(interpolate, m.inputs[0], table, m.outputs[0], np.array([x.size]))


def _wide_abs(node: Node, x: Operand, out: Operand) -> Build:
    function, numbers = _abs(node, x, out)
    return lambda m: bind(function, m.inputs[0], m.outputs[0], np.array([x.size, *numbers]))


def _wide_rsqrt(node: Node, x: Operand, out: Operand) -> Build:
    function, numbers = _rsqrt(node, x, out)

    def build(m: Memory) -> Step:
        step = bind(function, m.inputs[0], m.outputs[0], np.array([x.size, *numbers]))
        return _not_below(node, step, m.inputs[0], 0)

    return build


def _wide_table(node: Node, x: Operand, out: Operand) -> Build:
    fixed_output(node, out, *_FIXED[node.op, INT16])
    factor, shift = _table_factor(node, x.scale)
    numbers = np.array([x.size, factor, shift, 1 << (shift - 1) if shift else 0])
    function = logistic_wide if node.op == "LOGISTIC" else tanh_wide
    return lambda m: bind(function, m.inputs[0], SIGMOID, m.outputs[0], numbers)


def _table_factor(node: Node, scale: float) -> tuple[int, int]:
    """Return the factor and shift that turn int16 into steps of the table: 3/4 of 2**12 steps a unit.

    Powers of two of the scale are kept exact (one for LOGISTIC, two for TANH); otherwise the factor is
    doubled while it fits in 15 bits. Source: LogisticPrepare and TanhPrepare of TFLM.
    """
    exponent = round(math.log2(scale)) + 12
    exact = abs(math.log2(scale) - round(math.log2(scale))) < 1e-3
    if exact and (exponent == 0 or (exponent == 1 and node.op == "TANH")):
        return 3 << exponent, 0
    factor, shift = scale * 4096.0 * 3.0, 0
    while factor <= 32767.0 / 2.0 and shift <= 30:
        factor, shift = factor * 2.0, shift + 1
    return int(factor), shift


_WIDE = {
    "ABS": _wide_abs,
    "EXP": _wide_exp,
    "RSQRT": _wide_rsqrt,
    "LOGISTIC": _wide_table,
    "TANH": _wide_table,
}
