"""MEAN and ARG_MAX.

Quantized MEAN: QuantizedMeanOrSum of TFLite's internal/reference/reduce.h.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite import cpu, shapes
from opconform.runtimes.lite.fixedpoint import clamp, rescale, wrap32
from opconform.runtimes.lite.graph import Memory, Node, Operand, Prepared, Step
from opconform.runtimes.lite.jit import bind, kernel
from opconform.runtimes.lite.kernels import columns
from opconform.runtimes.lite.quantize import INT8, INT16, RANGES, UINT8, check_quantized, multiplier

_FLOAT = np.dtype(np.float32)
_WHOLE = (np.dtype(np.int32), np.dtype(np.int64))


@kernel
def mean_float(x: Array, kept: Array, reduced: Array, out: Array, p: Array) -> None:
    """Average in float64: out[i] over x[kept[i] + reduced[j]]; no elements give 0, as in TFLite."""
    for i in range(p[0]):
        total = 0.0
        for j in range(p[1]):
            total += np.float64(x[kept[i] + reduced[j]])
        out[i] = np.float32(total / np.float64(max(p[1], np.int64(1))))


@kernel
def mean_integer(x: Array, kept: Array, reduced: Array, out: Array, p: Array) -> None:
    """Average plain integers, rounding towards zero; no elements give 0."""
    for i in range(p[0]):
        total = np.int64(0)
        for j in range(p[1]):
            total += np.int64(x[kept[i] + reduced[j]])
        quotient = abs(total) // p[1] if p[1] > 0 else np.int64(0)
        out[i] = -quotient if total < 0 else quotient


@kernel
def mean_quantized(x: Array, kept: Array, reduced: Array, out: Array, p: Array) -> None:
    """Average in 32 bits and rescale; the multiplier holds 1 / count."""
    for i in range(p[0]):
        total = np.int64(0)
        for j in range(p[1]):
            total += np.int64(x[kept[i] + reduced[j]])
        value = rescale(wrap32(total - p[1] * p[2]), p[4], p[5]) + p[3]
        out[i] = clamp(value, p[6], p[7])


@kernel
def arg_max(x: Array, out: Array, p: Array) -> None:
    """Return the first index of the largest value along the middle of (outer, extent, inner)."""
    for o in range(p[0]):
        for i in range(p[2]):
            start = o * p[1] * p[2] + i
            best, index = x[start], np.int64(0)
            for j in range(1, p[1]):
                value = x[start + j * p[2]]
                if value > best:
                    best, index = value, np.int64(j)
            out[o * p[2] + i] = index


def prepare_mean(node: Node) -> Prepared:
    """Prepare MEAN over the axes in input 1."""
    x, axes, out = node.input(0), node.input(1), node.output()
    if x.dtype != out.dtype or axes.dtype != np.int32:
        raise node.invalid(f"dtypes {x.dtype}, {axes.dtype} -> {out.dtype}; T, int32 -> T is allowed")
    chosen = sorted({shapes.axis(node, axis, len(x.shape)) for axis in shapes.values(node, axes)})
    shape = shapes.reduced(x.shape, chosen, bool(node.options.number("keep_dims")))
    parts = columns.merged(x.shape, chosen) if x.dtype == _FLOAT and cpu.vectors().lanes > 1 else None
    if parts is not None and 0 not in parts:
        share = np.array([1.0 / parts[1]], np.float32)
        return Prepared((shape,), lambda m: bind(columns.mean_vectors, m.inputs[0], m.outputs[0], share, parts))
    kept, reduced = shapes.reduction_offsets(x.shape, chosen)
    function, numbers = _mean(node, x, out, len(reduced))
    p = np.array([len(kept), len(reduced), *numbers], np.int64)
    return Prepared((shape,), lambda m: bind(function, m.inputs[0], kept, reduced, m.outputs[0], p))


def _mean(node: Node, x: Operand, out: Operand, count: int) -> tuple[Callable[..., None], list[int]]:
    if x.dtype == _FLOAT:
        return mean_float, []
    quantized = x.dtype in (INT8, UINT8, INT16)
    if x.dtype in _WHOLE or (quantized and x.quantization is None and out.quantization is None):
        return mean_integer, []
    if not quantized:
        raise node.unsupported(f"{x.dtype} is not supported")
    check_quantized(node, x, out)
    if count == 0:
        return mean_quantized, [0, 0, 0, 0, *RANGES[x.dtype]]
    q, shift = multiplier(node, x.scale / out.scale)
    # 1 / count is folded into the multiplier with as many bits as fit
    bits = min(count.bit_length() - 1, 32, 31 + shift)
    q, shift = (q << bits) // count, shift - bits
    return mean_quantized, [x.zero_point, out.zero_point, q, shift, *RANGES[x.dtype]]


def prepare_arg_max(node: Node) -> Prepared:
    """Prepare ARG_MAX along the axis in input 1."""
    x, axis, out = node.input(0), node.input(1), node.output()
    allowed = (_FLOAT, INT8, UINT8, np.dtype(np.int32), np.dtype(np.bool_))
    if x.dtype not in allowed:
        raise node.unsupported(f"{x.dtype} is not supported")
    if axis.dtype not in _WHOLE or out.dtype not in _WHOLE or axis.size != 1:
        raise node.invalid(f"an axis of {axis.dtype}{list(axis.shape)} -> {out.dtype}; one int32 or int64 is allowed")
    declared = node.options.number("output_type")
    if declared != (2 if out.dtype == np.int32 else 4):
        raise node.invalid(f"output_type has the code {declared} and the output is {out.dtype}")
    index = shapes.axis(node, shapes.values(node, axis)[0], len(x.shape))
    shape = x.shape[:index] + x.shape[index + 1 :]
    if x.shape[index] == 0:
        raise node.invalid(f"axis {index} of {list(x.shape)} has no elements to compare")
    p = np.array([math.prod(x.shape[:index]), x.shape[index], math.prod(x.shape[index + 1 :])], np.int64)

    def build(m: Memory) -> Step:
        return bind(arg_max, m.inputs[0], m.outputs[0], p)

    return Prepared((shape,), build)
