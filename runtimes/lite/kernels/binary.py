"""ADD, SUB, MUL and DIV, with broadcasting.

Quantized arithmetic: TFLite's internal/reference/integer_ops/{add,mul}.h, internal/reference/{sub,div}.h.
"""

from __future__ import annotations

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite import cpu, shapes
from opconform.runtimes.lite.fixedpoint import (
    clamp,
    high_product,
    leading_zeros,
    reciprocal,
    reciprocal_bits,
    rescale,
    rounding_shift,
    saturating_left_shift,
)
from opconform.runtimes.lite.graph import Memory, Node, Operand, Prepared, Step
from opconform.runtimes.lite.jit import Number, bind, helper, kernel
from opconform.runtimes.lite.kernels.pairs import VECTORS, add_vectors_int8
from opconform.runtimes.lite.quantize import (
    INT8,
    INT16,
    UINT8,
    check_quantized,
    float32,
    float_range,
    integer_range,
    multiplier,
    multiplier_below_one,
    quantized_range,
)

_P = shapes.LOOP_PARAMETERS
ADD, MUL, DIV, SUB = 0, 1, 2, 3
_OPS = {"ADD": ADD, "MUL": MUL, "DIV": DIV, "SUB": SUB}
_FLOAT = np.dtype(np.float32)
_NARROW = (INT8, UINT8)


@helper
def row_start(p: Array, row: Number, operand: Number) -> Number:
    """Return where a row of operand 0 or 1 starts: mixed-radix digits of the row number times the strides."""
    start = np.int64(0)
    for d in range(p[4] - 1, -1, -1):
        extent = p[5 + 3 * d]
        start += (row % extent) * p[6 + 3 * d + operand]
        row //= extent
    return start


@helper
def apply_float(op: Number, x: Number, y: Number) -> Number:
    """Return one of the four functions in float32."""
    if op == ADD:
        return x + y
    if op == SUB:
        return x - y
    if op == MUL:
        return x * y
    return x / y


@kernel
def binary_float(a: Array, b: Array, out: Array, p: Array, bounds: Array) -> None:
    """Compute ADD, SUB, MUL or DIV of float32 with a fused clamp that lets NaN pass."""
    op, low, high = p[_P], bounds[0], bounds[1]
    columns, step_a, step_b = p[1], p[2], p[3]
    for row in range(p[0]):
        ia, ib, io = row_start(p, row, 0), row_start(p, row, 1), row * columns
        for c in range(columns):
            value = apply_float(op, a[ia + c * step_a], b[ib + c * step_b])
            value = low if value < low else value
            out[io + c] = high if value > high else value


@helper
def truncating_divide(x: Number, y: Number) -> Number:
    """Return x / y rounded towards zero, as C does."""
    quotient = x // y
    if quotient < 0 and quotient * y != x:
        quotient += 1
    return quotient


@kernel
def binary_integer(a: Array, b: Array, out: Array, p: Array, status: Array) -> None:
    """Compute ADD, SUB, MUL or DIV of plain integers: wrapping, then a clamp; status[0] counts divisions by zero."""
    op, low, high = p[_P], p[_P + 1], p[_P + 2]
    zeros = np.int64(0)
    for row in range(p[0]):
        ia, ib, io = row_start(p, row, 0), row_start(p, row, 1), row * p[1]
        for c in range(p[1]):
            x, y = np.int64(a[ia + c * p[2]]), np.int64(b[ib + c * p[3]])
            value = x - y if op == SUB else x + y
            if op == MUL:
                value = x * y
            if op == DIV:
                zeros += np.int64(y == 0)
                value = truncating_divide(x, y) if y != 0 else np.int64(0)
            out[io + c] = value
            out[io + c] = clamp(np.int64(out[io + c]), low, high)
    status[0] = zeros


@kernel
def add_quantized(a: Array, b: Array, out: Array, p: Array) -> None:
    """Add, or subtract where the sign in p is -1, on a common scale of 2**20 (2**15 for int16) steps, then rescale."""
    zero_a, qa, sa, zero_b, qb, sb = p[_P], p[_P + 1], p[_P + 2], p[_P + 3], p[_P + 4], p[_P + 5]
    left, zero_out, qo, so, sign = p[_P + 6], p[_P + 7], p[_P + 8], p[_P + 9], p[_P + 10]
    for row in range(p[0]):
        ia, ib, io = row_start(p, row, 0), row_start(p, row, 1), row * p[1]
        for c in range(p[1]):
            x = rescale((np.int64(a[ia + c * p[2]]) - zero_a) << left, qa, sa)
            y = rescale((np.int64(b[ib + c * p[3]]) - zero_b) << left, qb, sb)
            out[io + c] = clamp(rescale(x + sign * y, qo, so) + zero_out, p[_P + 11], p[_P + 12])


@kernel
def mul_quantized(a: Array, b: Array, out: Array, p: Array) -> None:
    """Multiply what stands over the zero points, then rescale."""
    zero_a, zero_b, zero_out, q, shift = p[_P], p[_P + 1], p[_P + 2], p[_P + 3], p[_P + 4]
    for row in range(p[0]):
        ia, ib, io = row_start(p, row, 0), row_start(p, row, 1), row * p[1]
        for c in range(p[1]):
            product = (np.int64(a[ia + c * p[2]]) - zero_a) * (np.int64(b[ib + c * p[3]]) - zero_b)
            out[io + c] = clamp(rescale(product, q, shift) + zero_out, p[_P + 5], p[_P + 6])


@helper
def divide_fixed(x: Number, y: Number, q: Number, shift: Number) -> Number:
    """Return x / y * q * 2**(shift - 31) by a Newton reciprocal of y > 0.

    TFLite's C shifts right by more than 31 bits for small |x|, which is undefined and saturates on x86;
    here the shift is carried out, which gives the quotient that was meant.
    """
    sign_bits = leading_zeros(x if x >= 0 else -x - 1) - 1
    quotient = high_product(x << sign_bits, reciprocal(y))
    total = shift - reciprocal_bits(y, 31) - sign_bits
    scaled = high_product(quotient, q)
    if total > 0:
        return saturating_left_shift(scaled, total)
    return rounding_shift(scaled, min(-total, np.int64(62)))


@kernel
def div_quantized(a: Array, b: Array, out: Array, p: Array, status: Array) -> None:
    """Divide what stands over the zero points; status[0] counts divisors at their zero point."""
    zero_a, zero_b, zero_out, q, shift = p[_P], p[_P + 1], p[_P + 2], p[_P + 3], p[_P + 4]
    zeros = np.int64(0)
    for row in range(p[0]):
        ia, ib, io = row_start(p, row, 0), row_start(p, row, 1), row * p[1]
        for c in range(p[1]):
            x, y = np.int64(a[ia + c * p[2]]) - zero_a, np.int64(b[ib + c * p[3]]) - zero_b
            zeros += np.int64(y == 0)
            x, y = (-x, -y) if y < 0 else (x, max(y, np.int64(1)))
            out[io + c] = clamp(divide_fixed(x, y, q, shift) + zero_out, p[_P + 5], p[_P + 6])
    status[0] = zeros


def prepare_arithmetic(node: Node) -> Prepared:
    """Prepare ADD, SUB, MUL or DIV of two tensors of one dtype."""
    a, b, out = node.input(0), node.input(1), node.output()
    if not a.dtype == b.dtype == out.dtype:
        raise node.invalid(f"dtypes {a.dtype}, {b.dtype} -> {out.dtype}; all must be the same")
    shape = shapes.broadcast(node, a, b)
    if a.dtype == _FLOAT:
        return _float(node, shape)
    if a.dtype in _NARROW or (a.dtype == INT16 and a.quantization is not None):
        return _quantized(node, shape)
    if a.dtype not in _plain_dtypes(node.op):
        raise node.unsupported(f"{a.dtype} is not supported")
    return _integer(node, shape)


def _plain_dtypes(op: str) -> tuple[np.dtype[np.generic], ...]:
    wide = (np.dtype(np.int32), INT16)
    if op == "DIV":
        return wide
    return (*wide, np.dtype(np.int64), np.dtype(np.uint32)) if op == "MUL" else (*wide, np.dtype(np.int64))


def _float(node: Node, shape: tuple[int, ...]) -> Prepared:
    p = shapes.loop(node.input(0).shape, node.input(1).shape, shape, [_OPS[node.op]])
    bounds = np.array(float_range(node), np.float32)

    def build(m: Memory) -> Step:
        if node.op in VECTORS and cpu.vectors().lanes > 1:
            return bind(VECTORS[node.op], m.inputs[0], m.inputs[1], m.outputs[0], bounds, p)
        return bind(binary_float, m.inputs[0], m.inputs[1], m.outputs[0], p, bounds)

    return Prepared((shape,), build)


def _integer(node: Node, shape: tuple[int, ...]) -> Prepared:
    low, high = integer_range(node, node.output().dtype)
    p = shapes.loop(node.input(0).shape, node.input(1).shape, shape, [_OPS[node.op], low, high])

    def build(m: Memory) -> Step:
        status = np.zeros(1, np.int64)
        step = bind(binary_integer, m.inputs[0], m.inputs[1], m.outputs[0], p, status)
        return _checking(node, step, status) if node.op == "DIV" else step

    return Prepared((shape,), build)


def _checking(node: Node, step: Step, status: Array) -> Step:
    def run() -> None:
        step()
        if status[0]:
            raise node.invalid(f"{status[0]} divisors are zero")

    return run


def _quantized(node: Node, shape: tuple[int, ...]) -> Prepared:
    a, b, out = node.input(0), node.input(1), node.output()
    check_quantized(node, a, b, out)
    low, high = quantized_range(node, out)
    rule = _add_parameters if node.op in ("ADD", "SUB") else _mul_parameters
    p = shapes.loop(a.shape, b.shape, shape, [*rule(node, a, b, out), low, high])

    def build(m: Memory) -> Step:
        arrays = (m.inputs[0], m.inputs[1], m.outputs[0], p)
        if node.op == "DIV":
            status = np.zeros(1, np.int64)
            return _checking(node, bind(div_quantized, *arrays, status), status)
        if rule is _add_parameters:
            return bind(add_vectors_int8 if a.dtype == INT8 and cpu.vectors().lanes > 1 else add_quantized, *arrays)
        return bind(mul_quantized, *arrays)

    return Prepared((shape,), build)


def _add_parameters(node: Node, a: Operand, b: Operand, out: Operand) -> list[int]:
    left = 15 if a.dtype == INT16 else 20
    twice = 2.0 * max(a.scale, b.scale)
    numbers = [a.zero_point, *multiplier_below_one(node, a.scale / twice)]
    numbers += [b.zero_point, *multiplier_below_one(node, b.scale / twice)]
    rescaled = twice / ((1 << left) * out.scale)
    return [*numbers, left, out.zero_point, *multiplier_below_one(node, rescaled), 1 if node.op == "ADD" else -1]


def _mul_parameters(node: Node, a: Operand, b: Operand, out: Operand) -> list[int]:
    # of MUL TFLM forms both in double; LiteRT rounds the product of scales to float32: rare int16 values differ by one
    real = a.scale * b.scale / out.scale if node.op == "MUL" else _quotient_of_scales(node, a, b, out)
    return [a.zero_point, b.zero_point, out.zero_point, *multiplier(node, real)]


def _quotient_of_scales(node: Node, a: Operand, b: Operand, out: Operand) -> float:
    """Return what a quotient of stored values is multiplied by: int8 in double, as TFLM does, else in float32."""
    if a.dtype == INT8:
        return a.scale / (b.scale * out.scale)
    divisor = float32(b.scale * out.scale)
    node.require(divisor > 0, f"the product of the scales {b.scale:g} and {out.scale:g} is too small")
    return float32(a.scale / divisor)


def prepare_select(node: Node) -> Prepared:
    """Prepare SELECT_V2: three-way broadcasting, any element type."""
    condition, x, y = node.input(0), node.input(1), node.input(2)
    if condition.dtype != np.bool_ or not x.dtype == y.dtype == node.output().dtype:
        raise node.invalid(f"dtypes {condition.dtype}, {x.dtype}, {y.dtype}; bool and two equal ones are allowed")
    shape = shapes.broadcast(node, condition, x, y)

    def build(m: Memory) -> Step:
        out = m.outputs[0].reshape(shape)
        chosen = [
            np.broadcast_to(flat.reshape(o.shape), shape) for flat, o in zip(m.inputs, (condition, x, y), strict=True)
        ]

        def run() -> None:
            np.copyto(out, chosen[2])
            np.copyto(out, chosen[1], where=chosen[0])

        return run

    return Prepared((shape,), build)
