"""NEG, SQUARE, SQRT, FLOOR, CEIL, ROUND, SIGN, SIN, COS, LOG, ELU and GELU.

What one machine instruction does runs as a loop of NumPy's, without code of its own; functions of libm share one
kernel. 8-bit rows look results up, 16-bit ones interpolate (LUTPopulate of TFLite's internal/common.h).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite.graph import Memory, Node, Operand, Prepared, Step
from opconform.runtimes.lite.jit import Number, bind, helper, kernel
from opconform.runtimes.lite.kernels.tables import interpolation_table, narrow_table
from opconform.runtimes.lite.kernels.unary import interpolate, look_up
from opconform.runtimes.lite.quantize import INT8, INT16, RANGES, UINT8, check_quantized

SIN, COS, LOG, ELU, GELU, GELU_TANH = 0, 1, 2, 3, 4, 5
_CODES = {"SIN": SIN, "COS": COS, "LOG": LOG, "ELU": ELU, "GELU": GELU}
_ROOT_HALF = math.sqrt(0.5)
_TANH_FACTOR = math.sqrt(2.0 / math.pi)


@helper
def elementary(code: Number, v: Number) -> Number:
    """Return one of the functions in float64."""
    if code == SIN:
        return math.sin(v)
    if code == COS:
        return math.cos(v)
    if code == LOG:
        return math.log(v)
    if code == ELU:
        return math.expm1(v) if v < 0.0 else v
    if code == GELU:
        return 0.5 * v * math.erfc(-v * _ROOT_HALF)
    # (1 + tanh u) / 2, without the cancellation that it has for negative u
    return v / (1.0 + math.exp(-2.0 * _TANH_FACTOR * (v + 0.044715 * v * v * v)))


@kernel
def elementary_float(x: Array, out: Array, p: Array) -> None:
    """Apply function p[1] to p[0] elements, rounded once."""
    for i in range(p[0]):
        out[i] = np.float32(elementary(p[1], np.float64(x[i])))


@kernel
def root_quantized(x: Array, out: Array, scales: Array, p: Array) -> None:
    """Return the root in quanta of the output, truncated. p: size, zero points, lowest, highest."""
    for i in range(p[0]):
        real = scales[0] * np.float32(np.int64(x[i]) - p[1])
        steps = np.int64(np.float32(math.sqrt(real)) / scales[1]) + p[2]
        out[i] = min(max(steps, p[3]), p[4])


_INTEGERS = tuple(np.dtype(t) for t in (np.int8, np.int16, np.int32, np.int64))
_FLOATS = (np.dtype(np.float32),)
Ufunc = Callable[..., Any]
_PLAIN: dict[str, tuple[Ufunc, tuple[np.dtype[Any], ...]]] = {
    "NEG": (np.negative, (*_FLOATS, *_INTEGERS)),
    "SQUARE": (np.square, _FLOATS),
    "SQRT": (np.sqrt, _FLOATS),
    "FLOOR": (np.floor, _FLOATS),
    "CEIL": (np.ceil, _FLOATS),
    "ROUND": (np.rint, _FLOATS),
    "SIGN": (np.sign, (*_FLOATS, np.dtype(np.float64), np.dtype(np.int32))),
}


def prepare(node: Node) -> Prepared:
    """Prepare any of the twelve."""
    x, out = node.input(0), node.output()
    if x.dtype != out.dtype:
        raise node.invalid(f"dtypes {x.dtype} -> {out.dtype}; both must be the same")
    if node.op in _PLAIN and x.dtype in _PLAIN[node.op][1]:
        return Prepared((x.shape,), lambda m: _plain(_PLAIN[node.op][0], m.inputs[0], m.outputs[0]))
    if node.op in _CODES and x.dtype in _FLOATS:
        p = np.array([x.size, _code(node)])
        return Prepared((x.shape,), lambda m: bind(elementary_float, m.inputs[0], m.outputs[0], p))
    if x.dtype not in _QUANTIZED.get(node.op, ()):
        raise node.unsupported(f"{x.dtype} is not supported")
    check_quantized(node, x, out)
    return Prepared((x.shape,), _root(node, x, out) if node.op == "SQRT" else _table(node, x, out))


_QUANTIZED = {"SQRT": (INT8, INT16), "LOG": (INT8, INT16), "ELU": (INT8,), "GELU": (INT8, UINT8, INT16)}


def _plain(function: Ufunc, x: Array, out: Array) -> Step:
    def run() -> None:
        with np.errstate(all="ignore"):
            function(x, out=out)

    return run


def _code(node: Node) -> int:
    return GELU_TANH if node.op == "GELU" and node.options.number("approximate") else _CODES[node.op]


def _table(node: Node, x: Operand, out: Operand) -> Callable[[Memory], Step]:
    function, size = _function(node, out), np.array([x.size])
    if x.dtype == INT16:
        wide = interpolation_table(function, x.scale, 0, out.scale)
        return lambda m: bind(interpolate, m.inputs[0], wide, m.outputs[0], size)
    narrow = narrow_table(function, x, out).view(np.uint8)
    return lambda m: bind(look_up, m.inputs[0].view(np.uint8), narrow, m.outputs[0].view(np.uint8), size)


def _function(node: Node, out: Operand) -> Callable[[Array], Array]:
    """Return the function that a table holds; LOG answers the output's least value up to zero."""
    code = _code(node)
    if code != LOG:
        return np.vectorize(lambda v: _elementary(code, v), otypes=[np.float64])
    least = float(np.float32(out.scale) * np.float32(RANGES[out.dtype][0] - out.zero_point))
    return np.vectorize(lambda v: math.log(v) if v > 0 else least, otypes=[np.float64])


def _elementary(code: int, v: float) -> float:
    """Return what compiled code would: an infinity where Python raises."""
    try:
        return float(elementary(code, v))
    except OverflowError:
        return -0.0


def _root(node: Node, x: Operand, out: Operand) -> Callable[[Memory], Step]:
    scales = np.array([x.scale, out.scale], np.float32)
    numbers = [x.zero_point, out.zero_point, *RANGES[out.dtype]]
    p, size = np.array([x.size, *numbers]), np.array([x.size])
    table = None if x.dtype == INT16 else _root_table(x.dtype, scales, numbers)

    def build(m: Memory) -> Step:
        if table is None:
            step = bind(root_quantized, m.inputs[0], m.outputs[0], scales, p)
        else:
            step = bind(look_up, m.inputs[0].view(np.uint8), table, m.outputs[0].view(np.uint8), size)

        def run() -> None:
            if x.size and m.inputs[0].min() < x.zero_point:
                raise node.invalid("a negative input has no square root")
            step()

        return run

    return build


def _root_table(dtype: np.dtype[Any], scales: Array, numbers: list[int]) -> Array:
    """Run the kernel of 16 bits on all 256 inputs; those below the zero point are never looked up and count as it."""
    inputs = np.arange(256, dtype=np.uint8).view(dtype).astype(np.int16)
    results = np.empty_like(inputs)
    bind(root_quantized, np.maximum(inputs, np.int16(numbers[0])), results, scales, np.array([256, *numbers]))()
    return results.astype(np.uint8)
