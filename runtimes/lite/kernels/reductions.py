"""SUM, REDUCE_PROD, REDUCE_MAX, REDUCE_MIN, REDUCE_ANY, REDUCE_ALL, ARG_MIN and CUMSUM.

Quantized SUM and REDUCE_PROD: QuantizedMeanOrSum and QuantizedReduceProd of TFLite's internal/reference/reduce.h;
quantized CUMSUM: internal/reference/cumsum.h, but started at the real zero, whatever the zero point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite import shapes
from opconform.runtimes.lite.fixedpoint import clamp, rescale, rescale_wide
from opconform.runtimes.lite.graph import Memory, Node, Operand, Prepared, Step
from opconform.runtimes.lite.jit import bind, kernel
from opconform.runtimes.lite.kernels.reduce import mean_quantized
from opconform.runtimes.lite.quantize import (
    INT8,
    INT16,
    INT32,
    RANGES,
    UINT8,
    check_quantized,
    multiplier,
    multiplier_below_one,
    same_quantization,
)

_FLOAT, _INT64, _BOOL = np.dtype(np.float32), np.dtype(np.int64), np.dtype(np.bool_)
_NUMBERS = (_FLOAT, INT32, _INT64, INT8, UINT8, INT16)
Build = Callable[[Memory], Step]
#: which fold a kernel is asked for: the largest and the smallest also tell any and all of truth values
_LARGEST, _SMALLEST, _SUM, _PRODUCT = 0, 1, 2, 3
#: op -> its fold, and the dtypes that it takes
_FOLDS: Mapping[str, tuple[int, tuple[np.dtype[np.generic], ...]]] = {
    "SUM": (_SUM, _NUMBERS),
    "REDUCE_PROD": (_PRODUCT, _NUMBERS),
    "REDUCE_MAX": (_LARGEST, (*_NUMBERS, _BOOL)),
    "REDUCE_MIN": (_SMALLEST, (*_NUMBERS, _BOOL)),
    "REDUCE_ANY": (_LARGEST, (_BOOL,)),
    "REDUCE_ALL": (_SMALLEST, (_BOOL,)),
}


@kernel
def extreme(x: Array, kept: Array, reduced: Array, none: Array, out: Array, p: Array) -> None:
    """Return the largest (p[2] = 0) or smallest (1) of x[kept[i] + reduced[j]]; of no elements, none[0]."""
    for i in range(p[0]):
        best = x[kept[i] + reduced[0]] if p[1] > 0 else none[0]
        if p[2] == 0:
            for j in range(1, p[1]):
                value = x[kept[i] + reduced[j]]
                best = value if value > best else best
        else:
            for j in range(1, p[1]):
                value = x[kept[i] + reduced[j]]
                best = value if value < best else best
        out[i] = best


@kernel
def total_float(x: Array, kept: Array, reduced: Array, out: Array, p: Array) -> None:
    """Add up (p[2] = 2) or multiply (3) in float64."""
    for i in range(p[0]):
        total = 0.0
        if p[2] == 2:
            for j in range(p[1]):
                total += np.float64(x[kept[i] + reduced[j]])
        else:
            total = 1.0
            for j in range(p[1]):
                total *= np.float64(x[kept[i] + reduced[j]])
        out[i] = total


@kernel
def total_integer(x: Array, kept: Array, reduced: Array, out: Array, p: Array) -> None:
    """Add up (p[2] = 2) or multiply (3) whole numbers, modulo the width of the output."""
    for i in range(p[0]):
        total = np.int64(0)
        if p[2] == 2:
            for j in range(p[1]):
                total += np.int64(x[kept[i] + reduced[j]])
        else:
            total = np.int64(1)
            for j in range(p[1]):
                total *= np.int64(x[kept[i] + reduced[j]])
        out[i] = total


@kernel
def product_quantized(x: Array, kept: Array, reduced: Array, out: Array, p: Array) -> None:
    """Multiply centred integers, rescaling after each. p as mean_quantized: counts, zero points, rescale, range."""
    for i in range(p[0]):
        product = np.int64(x[kept[i] + reduced[0]]) - p[2]
        for j in range(1, p[1]):
            product = rescale_wide(product * (np.int64(x[kept[i] + reduced[j]]) - p[2]), p[4], p[5])
        out[i] = clamp(rescale_wide(product, p[4], p[5]) + p[3], p[6], p[7])


@kernel
def arg_min(x: Array, out: Array, p: Array) -> None:
    """Return the first index of the smallest value along the middle of (outer, extent, inner)."""
    for o in range(p[0]):
        for i in range(p[2]):
            start = o * p[1] * p[2] + i
            best, index = x[start], np.int64(0)
            for j in range(1, p[1]):
                value = x[start + j * p[2]]
                if value < best:
                    best, index = value, np.int64(j)
            out[o * p[2] + i] = index


@kernel
def cumsum(x: Array, zero: Array, out: Array, p: Array) -> None:
    """Sum up along the middle of (outer, extent, inner) in the dtype of zero; p[3]: without the element, p[4]: from
    the end.
    """
    for o in range(p[0]):
        for i in range(p[2]):
            total = zero[0]
            for j in range(p[1]):
                along = p[1] - 1 - j if p[4] != 0 else j
                at = (o * p[1] + along) * p[2] + i
                before = total
                total = total + x[at]
                out[at] = before if p[3] != 0 else total


@kernel
def cumsum_quantized(x: Array, out: Array, p: Array) -> None:
    """Sum up as `cumsum` on twice the input's scale with 20 bits of headroom. p[5:]: zero points, rescale, range."""
    for o in range(p[0]):
        for i in range(p[2]):
            total = np.int64(0)
            for j in range(p[1]):
                along = p[1] - 1 - j if p[4] != 0 else j
                at = (o * p[1] + along) * p[2] + i
                before = total
                # half of (x - zero point) << 20; limited to what a rescale takes, 16 elements at least
                total = clamp(total + ((np.int64(x[at]) - p[5]) << 19), -2147483648, 2147483647)
                value = rescale(before if p[3] != 0 else total, p[7], p[8]) + p[6]
                out[at] = clamp(value, p[9], p[10])


def prepare(node: Node) -> Prepared:
    """Prepare a reduction over the axes in input 1."""
    x, axes, out = node.input(0), node.input(1), node.output()
    fold, allowed = _FOLDS[node.op]
    if x.dtype != out.dtype or axes.dtype != INT32:
        raise node.invalid(f"dtypes {x.dtype}, {axes.dtype} -> {out.dtype}; T, int32 -> T is allowed")
    if x.dtype not in allowed:
        raise node.unsupported(f"{x.dtype} is not supported")
    chosen = sorted({shapes.axis(node, axis, len(x.shape)) for axis in shapes.values(node, axes)} if x.shape else ())
    shape = shapes.reduced(x.shape, chosen, bool(node.options.number("keep_dims")))
    kept, reduced = shapes.reduction_offsets(x.shape, chosen)
    counts = [len(kept), len(reduced)]
    if fold in (_LARGEST, _SMALLEST):
        return Prepared((shape,), _extreme(node, x, out, (kept, reduced), np.array([*counts, fold], np.int64)))
    if x.dtype in RANGES and x.dtype != INT32 and x.quantization is not None:
        numbers = _quantized(node, x, out, counts[1], fold)
        function = mean_quantized if fold == _SUM else product_quantized
    else:
        numbers, function = [fold], total_float if x.dtype == _FLOAT else total_integer
    p = np.array([*counts, *numbers], np.int64)
    return Prepared((shape,), lambda m: bind(function, m.inputs[0], kept, reduced, m.outputs[0], p))


def _extreme(node: Node, x: Operand, out: Operand, offsets: tuple[Array, Array], p: Array) -> Build:
    same_quantization(node, x, out)
    if x.dtype == _FLOAT:
        limits = (-math.inf, math.inf)
    elif x.dtype == _BOOL:
        limits = (False, True)
    else:
        limits = (np.iinfo(x.dtype.str).min, np.iinfo(x.dtype.str).max)
    none = np.array([limits[p[2]]], x.dtype)
    return lambda m: bind(extreme, m.inputs[0], *offsets, none, m.outputs[0], p)


def _quantized(node: Node, x: Operand, out: Operand, count: int, fold: int) -> list[int]:
    """Return zero points, rescale and range of a quantized sum or product."""
    check_quantized(node, x, out)
    if fold == _PRODUCT:
        if x.dtype == UINT8:
            raise node.unsupported("a product of quantized uint8 is not supported")
        node.require(count > 0, "a product of no elements has no place on the scale of the output")
    real = x.scale / out.scale if fold == _SUM else x.scale / out.scale ** (1 / count)
    q, shift = multiplier(node, real)
    # rescale_wide shifts to the right, by no more than 62 bits
    node.require(fold == _SUM or shift < 15, f"the scales give a rescale of {real:g}; up to 2**14 is allowed")
    return [x.zero_point, out.zero_point, q, shift, *RANGES[x.dtype]]


def prepare_arg_min(node: Node) -> Prepared:
    """Prepare ARG_MIN along the axis in input 1."""
    x, axis, out = node.input(0), node.input(1), node.output()
    if x.dtype not in (_FLOAT, INT8, UINT8, INT32, _BOOL):
        raise node.unsupported(f"{x.dtype} is not supported")
    whole = (INT32, _INT64)
    if axis.dtype not in whole or out.dtype not in whole or axis.size != 1:
        raise node.invalid(f"an axis of {axis.dtype}{list(axis.shape)} -> {out.dtype}; one int32 or int64 is allowed")
    declared = node.options.number("output_type")
    if declared != (2 if out.dtype == INT32 else 4):
        raise node.invalid(f"output_type has the code {declared} and the output is {out.dtype}")
    index = shapes.axis(node, shapes.values(node, axis)[0], len(x.shape))
    node.require(x.shape[index] > 0, f"axis {index} of {list(x.shape)} has no elements to compare")
    p = np.array(_around(x.shape, index), np.int64)
    shape = x.shape[:index] + x.shape[index + 1 :]
    return Prepared((shape,), lambda m: bind(arg_min, m.inputs[0], m.outputs[0], p))


def _around(shape: tuple[int, ...], axis: int) -> list[int]:
    return [math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])]


def prepare_cumsum(node: Node) -> Prepared:
    """Prepare CUMSUM along the axis in input 1."""
    x, axis, out = node.input(0), node.input(1), node.output()
    if x.dtype not in (_FLOAT, INT32, _INT64, INT8):
        raise node.unsupported(f"{x.dtype} is not supported")
    if x.dtype != out.dtype or axis.dtype != INT32 or axis.size != 1:
        raise node.invalid(f"dtypes {x.dtype}, {axis.dtype}{list(axis.shape)} -> {out.dtype}; T, one int32 -> T")
    index = shapes.axis(node, shapes.values(node, axis)[0], len(x.shape))
    numbers = _around(x.shape, index)
    numbers += [node.options.number("exclusive"), node.options.number("reverse")]
    if x.dtype != INT8:
        p, zero = np.array(numbers, np.int64), np.zeros(1, np.float64 if x.dtype == _FLOAT else np.int64)
        return Prepared((x.shape,), lambda m: bind(cumsum, m.inputs[0], zero, m.outputs[0], p))
    check_quantized(node, x, out)
    rescaled = multiplier_below_one(node, 2 * x.scale / (2**20 * out.scale))
    quantized = np.array([*numbers, x.zero_point, out.zero_point, *rescaled, *RANGES[INT8]], np.int64)

    def build(m: Memory) -> Step:
        return bind(cumsum_quantized, m.inputs[0], m.outputs[0], quantized)

    return Prepared((x.shape,), build)
