"""SQUARED_DIFFERENCE of quantized tensors, and ADD_N.

Quantized arithmetic: TFLM's micro/kernels/squared_difference.cc and add_n.cc.
"""

from __future__ import annotations

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite import shapes
from opconform.runtimes.lite.fixedpoint import clamp, rescale, wrap32
from opconform.runtimes.lite.graph import Memory, Node, Prepared, Step
from opconform.runtimes.lite.jit import bind, kernel
from opconform.runtimes.lite.kernels import ufunc
from opconform.runtimes.lite.kernels.binary import row_start
from opconform.runtimes.lite.quantize import (
    INT8,
    INT16,
    RANGES,
    check_quantized,
    multiplier_below_one,
    same_quantization,
)

_P = shapes.LOOP_PARAMETERS
_HEADROOM = {INT8: 7, INT16: 0}
_SUM_HEADROOM = 20


@kernel
def squared_difference_quantized(a: Array, b: Array, out: Array, p: Array) -> None:
    """Subtract on a common scale (2**7 steps for int8), square in 32 bits, rescale."""
    zero_a, qa, sa, zero_b, qb, sb = p[_P], p[_P + 1], p[_P + 2], p[_P + 3], p[_P + 4], p[_P + 5]
    zero_out, qo, so, low, high = p[_P + 6], p[_P + 7], p[_P + 8], p[_P + 9], p[_P + 10]
    left = p[_P + 11]
    for row in range(p[0]):
        ia, ib, io = row_start(p, row, 0), row_start(p, row, 1), row * p[1]
        for c in range(p[1]):
            x = rescale((np.int64(a[ia + c * p[2]]) - zero_a) << left, qa, sa)
            y = rescale((np.int64(b[ib + c * p[3]]) - zero_b) << left, qb, sb)
            square = wrap32((x - y) * (x - y))
            out[io + c] = clamp(rescale(square, qo, so) + zero_out, low, high)


@kernel
def accumulate_quantized(x: Array, total: Array, p: Array) -> None:
    """Add half of x, less its zero point, on 2**20 steps to a running total of 32 bits; p[2]: start with it."""
    for i in range(p[0]):
        term = rescale((np.int64(x[i]) - p[1]) << 20, np.int64(1073741824), np.int64(0))
        total[i] = term if p[2] != 0 else wrap32(np.int64(total[i]) + term)


@kernel
def rescale_total(total: Array, out: Array, p: Array) -> None:
    """Bring the total to the output's scale."""
    for i in range(p[0]):
        out[i] = clamp(rescale(np.int64(total[i]), p[2], p[3]) + p[1], np.int64(-128), np.int64(127))


def prepare_squared_difference(node: Node) -> Prepared:
    """Prepare SQUARED_DIFFERENCE: int8 and int16 with scales, float32 and int32 as they are."""
    a, b, out = node.input(0), node.input(1), node.output()
    if a.dtype not in (INT8, INT16):
        return ufunc.prepare(node)
    if not a.dtype == b.dtype == out.dtype:
        raise node.invalid(f"dtypes {a.dtype}, {b.dtype} -> {out.dtype}; all must be the same")
    check_quantized(node, a, b, out)
    shape = shapes.broadcast(node, a, b)
    twice = 2.0 * max(a.scale, b.scale)
    numbers = [a.zero_point, *multiplier_below_one(node, a.scale / twice)]
    numbers += [b.zero_point, *multiplier_below_one(node, b.scale / twice)]
    left = _HEADROOM[a.dtype]
    rescaled = multiplier_below_one(node, twice * twice / ((1 << 2 * left) * out.scale))
    p = shapes.loop(a.shape, b.shape, shape, [*numbers, out.zero_point, *rescaled, *RANGES[a.dtype], left])

    def build(m: Memory) -> Step:
        return bind(squared_difference_quantized, m.inputs[0], m.inputs[1], m.outputs[0], p)

    return Prepared((shape,), build)


def prepare_add_n(node: Node) -> Prepared:
    """Prepare ADD_N: float32, int32, and int8 of which all inputs have one scale."""
    first, out = node.input(0), node.output()
    others = [node.input(i) for i in range(1, len(node.inputs))]
    node.require(bool(others), "1 input; 2 and more are allowed")
    for operand in (*others, out):
        if operand.dtype != first.dtype:
            raise node.invalid(f"dtypes {first.dtype} and {operand.dtype}; all must be the same")
    for operand in others:
        if operand.shape != first.shape:
            raise node.invalid(f"the shapes {list(first.shape)} and {list(operand.shape)}; all must be the same")
        same_quantization(node, first, operand)
    if first.dtype == INT8:
        return _add_n_quantized(node)
    if first.dtype.name not in ("float32", "int32"):
        raise node.unsupported(f"{first.dtype} is not supported; float32, int8, int32 are")
    return Prepared((first.shape,), _plain_sum)


def _plain_sum(m: Memory) -> Step:
    (a, b), rest, out = m.inputs[:2], m.inputs[2:], m.outputs[0]

    def run() -> None:
        with np.errstate(all="ignore"):
            np.add(a, b, out=out)
            for term in rest:
                np.add(out, term, out=out)

    return run


def _add_n_quantized(node: Node) -> Prepared:
    first, out = node.input(0), node.output()
    check_quantized(node, first, out)
    rescaled = multiplier_below_one(node, 2.0 * first.scale / ((1 << _SUM_HEADROOM) * out.scale))
    start, more = (np.array([first.size, first.zero_point, begins], np.int64) for begins in (1, 0))
    end = np.array([first.size, out.zero_point, *rescaled], np.int64)

    def build(m: Memory) -> Step:
        total = m.scratch[0].view(np.int32)
        steps = [bind(accumulate_quantized, x, total, more if i else start) for i, x in enumerate(m.inputs)]
        steps.append(bind(rescale_total, total, m.outputs[0], end))

        def run() -> None:
            for step in steps:
                step()

        return run

    return Prepared((first.shape,), build, scratch=(4 * first.size,))
