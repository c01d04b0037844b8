"""SVDF: a rank-decomposed filter over time, its past kept in a variable tensor.

Arithmetic: TFLM's micro/kernels/svdf_common.cc.
"""

from __future__ import annotations

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite.fixedpoint import clamp, rescale, wrap32
from opconform.runtimes.lite.graph import Memory, Node, Prepared, Step
from opconform.runtimes.lite.jit import bind, kernel
from opconform.runtimes.lite.quantize import (
    INT8,
    INT16,
    INT32,
    RANGES,
    check_quantized,
    dequantized,
    float32,
    float_range,
    multiplier,
    quantized_range,
)

_FLOAT = np.dtype(np.float32)

# p of both kernels: batch, inputs, filters, memory, units, rank


@kernel
def svdf_float(
    x: Array, feature: Array, time: Array, bias: Array, state: Array, out: Array, bounds: Array, p: Array
) -> None:
    """Move the memories by one step, append the new features, weigh them over time; sums in float64."""
    inputs, filters, memory, units, rank = p[1], p[2], p[3], p[4], p[5]
    for b in range(p[0]):
        for f in range(filters):
            start = (b * filters + f) * memory
            for t in range(memory - 1):
                state[start + t] = state[start + t + 1]
            total = 0.0
            for i in range(inputs):
                total += np.float64(x[b * inputs + i]) * np.float64(feature[f * inputs + i])
            state[start + memory - 1] = np.float32(total)
        for u in range(units):
            total = np.float64(bias[u])
            for f in range(u * rank, (u + 1) * rank):
                for t in range(memory):
                    total += np.float64(state[(b * filters + f) * memory + t]) * np.float64(time[f * memory + t])
            value = np.float32(total)
            value = bounds[0] if value < bounds[0] else value
            out[b * units + u] = bounds[1] if value > bounds[1] else value


@kernel
def svdf_quantized(x: Array, feature: Array, time: Array, bias: Array, state: Array, out: Array, p: Array) -> None:
    """As svdf_float in integers. p goes on: zero points of x, state, out, two rescales, ranges of state and out."""
    inputs, filters, memory, units, rank = p[1], p[2], p[3], p[4], p[5]
    zero_x, zero_state, zero_out = p[6], p[7], p[8]
    for b in range(p[0]):
        for f in range(filters):
            start = (b * filters + f) * memory
            for t in range(memory - 1):
                state[start + t] = state[start + t + 1]
            total = np.int64(0)
            for i in range(inputs):
                total += np.int64(feature[f * inputs + i]) * (np.int64(x[b * inputs + i]) - zero_x)
            value = clamp(rescale(wrap32(total), p[9], p[10]), p[13], p[14])
            state[start + memory - 1] = value + zero_state
        for u in range(units):
            total = np.int64(bias[u])
            for f in range(u * rank, (u + 1) * rank):
                for t in range(memory):
                    past = np.int64(state[(b * filters + f) * memory + t]) - zero_state
                    total += np.int64(time[f * memory + t]) * past
            value = rescale(wrap32(total), p[11], p[12]) + zero_out
            out[b * units + u] = clamp(value, p[15], p[16])


def prepare_svdf(node: Node) -> Prepared:
    """Prepare SVDF: input [B, I], feature [F, I], time [F, M], bias [F / rank], state [B, F * M]."""
    x, feature, time, bias, state = node.input(0), node.input(1), node.input(2), node.optional(3), node.input(4)
    extents = _extents(node)
    batch, units = extents[0], extents[4]
    out = node.output()
    p = np.array(extents, np.int64)
    node.require(state.variable, "the state must be a variable tensor")
    if x.dtype == feature.dtype == time.dtype == state.dtype == out.dtype == _FLOAT:
        bounds = np.array(float_range(node), np.float32)
        node.require(bias is None or bias.dtype == _FLOAT, "the bias must be float32")
    elif (x.dtype, feature.dtype, time.dtype, state.dtype, out.dtype) == (_FLOAT, INT8, INT8, _FLOAT, _FLOAT):
        bounds = np.array(float_range(node), np.float32)
        check_quantized(node, feature, time)
        node.require(bias is None or bias.dtype == _FLOAT, "the bias must be float32")
        node.require(feature.data is not None and time.data is not None, "int8 weights must be constants")
    elif (x.dtype, feature.dtype, out.dtype) == (INT8, INT8, INT8) and time.dtype == state.dtype in (INT8, INT16):
        node.require(bias is None or bias.dtype == INT32, "the bias must be int32")
        p = np.array([*extents, *_integers(node)], np.int64)
        bounds = None
    else:
        found = ", ".join(str(operand.dtype) for operand in (x, feature, time, state))
        raise node.unsupported(f"dtypes {found} -> {out.dtype} are not supported")

    def build(m: Memory) -> Step:
        inputs = list(m.inputs)
        if bounds is not None and feature.dtype == INT8:
            inputs[1], inputs[2] = dequantized(feature, inputs[1]), dequantized(time, inputs[2])
        if bias is None:
            inputs[3] = np.zeros(units, _FLOAT if bounds is not None else INT32)
        if bounds is not None:
            return bind(svdf_float, *inputs[:5], m.outputs[0], bounds, p)
        return bind(svdf_quantized, *inputs[:5], m.outputs[0], p)

    return Prepared(((batch, units),), build)


def _extents(node: Node) -> tuple[int, int, int, int, int, int]:
    x, feature, time, bias, state = node.input(0), node.input(1), node.input(2), node.optional(3), node.input(4)
    rank = node.options.number("rank")
    ranks = [len(operand.shape) for operand in (x, feature, time, state)]
    node.require(ranks == [2, 2, 2, 2], f"input, weights and state have ranks {ranks}; all must be 2")
    (batch, inputs), (filters, memory) = x.shape, time.shape
    node.require(rank >= 1 and filters % rank == 0, f"{filters} filters of rank {rank}; a multiple is needed")
    node.require(memory >= 1, "a memory of 0 steps")
    units = filters // rank
    fits = feature.shape == (filters, inputs) and state.shape == (batch, filters * memory)
    if not fits or (bias is not None and bias.size != units):
        found = ", ".join(str(list(operand.shape)) for operand in (x, feature, time, state))
        raise node.invalid(f"the shapes {found} and {bias.size if bias else 'no'} biases do not belong together")
    return batch, inputs, filters, memory, units, rank


def _integers(node: Node) -> list[int]:
    x, feature, time, state, out = node.input(0), node.input(1), node.input(2), node.input(4), node.output()
    check_quantized(node, x, feature, time, state, out)
    # the reference forms both rescales in float32
    first = multiplier(node, float32(float32(x.scale * feature.scale) / state.scale))
    second = multiplier(node, float32(float32(state.scale * time.scale) / out.scale))
    numbers = [x.zero_point, state.zero_point, out.zero_point, *first, *second]
    return [*numbers, *RANGES[state.dtype], *quantized_range(node, out)]
