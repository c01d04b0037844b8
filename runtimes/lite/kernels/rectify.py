"""RELU, RELU6, RELU_N1_TO_1, RELU_0_TO_1, PRELU and LEAKY_RELU.

Quantized arithmetic: one rescale for elements that are not negative and another for those that are, then a clamp
(TFLite's QuantizedReluX in kernels/activations.cc, internal/reference/{prelu,leaky_relu}.h). One kernel does all.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite import shapes
from opconform.runtimes.lite.fixedpoint import clamp, rescale
from opconform.runtimes.lite.graph import Memory, Node, Operand, Prepared, Step
from opconform.runtimes.lite.jit import bind, kernel
from opconform.runtimes.lite.kernels.binary import row_start
from opconform.runtimes.lite.kernels.unary import look_up
from opconform.runtimes.lite.quantize import (
    INT8,
    INT16,
    RANGES,
    UINT8,
    check_quantized,
    float32,
    multiplier,
    round_away,
)

_P = shapes.LOOP_PARAMETERS
_FLOAT = np.dtype(np.float32)
_LIMITS = {
    "RELU": (0.0, math.inf),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU_0_TO_1": (0.0, 1.0),
}


@kernel
def rectify_float(x: Array, alpha: Array, out: Array, p: Array) -> None:
    """Return x, or alpha * x where x is negative (or NaN)."""
    for row in range(p[0]):
        ix, ia, io = row_start(p, row, 0), row_start(p, row, 1), row * p[1]
        for c in range(p[1]):
            value = x[ix + c * p[2]]
            out[io + c] = value if value >= 0 else value * alpha[ia + c * p[3]]


@kernel
def rectify_quantized(x: Array, alpha: Array, out: Array, p: Array) -> None:
    """Rescale x, or the product of x and alpha where x is negative.

    p behind the loop: zero points of x, alpha and out; multiplier and shift for x; the same for the product;
    -1 to negate the latter; lowest and highest.
    """
    zero_x, zero_a, zero_out, q, shift = p[_P], p[_P + 1], p[_P + 2], p[_P + 3], p[_P + 4]
    for row in range(p[0]):
        ix, ia, io = row_start(p, row, 0), row_start(p, row, 1), row * p[1]
        for c in range(p[1]):
            value = np.int64(x[ix + c * p[2]]) - zero_x
            if value >= 0:
                value = rescale(value, q, shift)
            else:
                product = value * (np.int64(alpha[ia + c * p[3]]) - zero_a)
                value = rescale(product, p[_P + 5], p[_P + 6]) * p[_P + 7]
            out[io + c] = clamp(value + zero_out, p[_P + 8], p[_P + 9])


def _same_dtypes(node: Node) -> tuple[Operand, Operand]:
    x, out = node.input(0), node.output()
    if x.dtype != out.dtype:
        raise node.invalid(f"dtypes {x.dtype} -> {out.dtype}; both must be the same")
    return x, out


def prepare_relu(node: Node) -> Prepared:
    """Prepare the four clamps: of float32, and of int8, uint8 and int16 with a rescale."""
    x, out = _same_dtypes(node)
    low, high = _LIMITS[node.op]
    if x.dtype == _FLOAT:
        return Prepared((x.shape,), lambda m: _clamp_float(m.inputs[0], m.outputs[0], low, high))
    _check(node, x, out)
    least, most = RANGES[out.dtype]
    least = max(least, out.zero_point + round_away(float32(low / out.scale)))
    most = most if high == math.inf else min(most, out.zero_point + round_away(float32(high / out.scale)))
    identity = multiplier(node, x.scale / out.scale)
    return _one_input(x, [x.zero_point, 0, out.zero_point, *identity, *identity, 1, least, most])


def _clamp_float(x: Array, out: Array, low: float, high: float) -> Step:
    least, most = np.float32(low), np.float32(high)

    def run() -> None:
        np.maximum(x, least, out=out)
        if most != math.inf:
            np.minimum(out, most, out=out)

    return run


def _check(node: Node, x: Operand, out: Operand) -> None:
    if x.dtype not in (INT8, UINT8, INT16):
        raise node.unsupported(f"{x.dtype} is not supported")
    check_quantized(node, x, out)


def _one_input(x: Operand, numbers: list[int]) -> Prepared:
    """Run the kernel with a factor of one; 8-bit inputs by a table of what it answers for all 256."""
    one = np.ones(1, np.int8)
    if x.dtype == INT16:
        p = shapes.loop(x.shape, (), x.shape, numbers)
        return Prepared((x.shape,), lambda m: bind(rectify_quantized, m.inputs[0], one, m.outputs[0], p))
    # 16 bits hold the inputs of both dtypes, so that one compiled kernel serves for all
    inputs = np.arange(256, dtype=np.uint8).view(x.dtype).astype(np.int16)
    results = np.empty_like(inputs)
    bind(rectify_quantized, inputs, one, results, shapes.loop((256,), (), (256,), numbers))()
    table, size = results.astype(np.uint8), np.array([x.size])

    def build(m: Memory) -> Step:
        return bind(look_up, m.inputs[0].view(np.uint8), table, m.outputs[0].view(np.uint8), size)

    return Prepared((x.shape,), build)


def prepare_leaky(node: Node) -> Prepared:
    """Prepare LEAKY_RELU of float32, int8, uint8 and int16."""
    x, out = _same_dtypes(node)
    alpha = node.options.real("alpha")
    node.require(math.isfinite(alpha), f"alpha is {alpha}; it must be finite")
    if x.dtype == _FLOAT:
        factor, p = np.array([alpha], np.float32), shapes.loop(x.shape, (), x.shape)
        return Prepared((x.shape,), lambda m: bind(rectify_float, m.inputs[0], factor, m.outputs[0], p))
    _check(node, x, out)
    numbers = [x.zero_point, 0, out.zero_point, *multiplier(node, x.scale / out.scale)]
    numbers += [*multiplier(node, abs(x.scale * alpha / out.scale)), -1 if alpha < 0 else 1]
    return _one_input(x, [*numbers, *RANGES[out.dtype]])


def prepare_prelu(node: Node) -> Prepared:
    """Prepare PRELU of float32, int8, uint8 and int16 (which has slopes of 8 bits), slopes broadcast to the input."""
    x, out = _same_dtypes(node)
    alpha = node.input(1)
    wanted = INT8 if x.dtype == INT16 else x.dtype
    node.require(alpha.dtype == wanted, f"slopes of {alpha.dtype}; {wanted} is allowed for {x.dtype}")
    shape = shapes.broadcast(node, x, alpha)
    node.require(shape == x.shape, f"slopes of shape {list(alpha.shape)} do not broadcast to {list(x.shape)}")
    numbers: list[int] = []
    function: Callable[..., None] = rectify_float
    if x.dtype != _FLOAT:
        _check(node, x, out)
        check_quantized(node, alpha)
        function = rectify_quantized
        numbers = [x.zero_point, alpha.zero_point, out.zero_point, *multiplier(node, x.scale / out.scale)]
        numbers += [*multiplier(node, x.scale * alpha.scale / out.scale), 1, *RANGES[out.dtype]]
    p = shapes.loop(x.shape, alpha.shape, shape, numbers)
    return Prepared((shape,), lambda m: bind(function, m.inputs[0], m.inputs[1], m.outputs[0], p))
