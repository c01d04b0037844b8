"""The basic kernel of LSTM: one matrix over input and last output, whose sums are i, g, f, o; states are fed or kept.

Arithmetic of the 8-bit cell: TFLite's internal/reference/lstm_cell.h, in 16-bit fixed point.
"""

from __future__ import annotations

import math

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite.fixed16 import clamp16, curve16, half_product
from opconform.runtimes.lite.fixedpoint import clamp, rescale, rounding_shift, wrap32
from opconform.runtimes.lite.floatmath import exp64, tanh64
from opconform.runtimes.lite.graph import Memory, Node, Prepared, Step
from opconform.runtimes.lite.jit import Number, bind, helper, kernel
from opconform.runtimes.lite.kernels.rnn import FLOAT, require_shape
from opconform.runtimes.lite.quantize import INT16, INT32, UINT8, check_quantized, float32, multiplier

#: The only quantization of inputs and outputs, of cells and of sums.
ACTIVATION, CELL, SUM = (1 / 128, 128), 2.0**-11, 2.0**-12

# p of both kernels: batch, inputs, units


@helper
def join_rows(x: Array, last: Array, both: Array, b: Number, inputs: Number, units: Number) -> None:
    """Write the input and the last output of one batch one after the other."""
    depth = inputs + units
    for i in range(depth):
        both[b * depth + i] = x[b * inputs + i] if i < inputs else last[b * units + i - inputs]


@kernel
def basic_float(
    x: Array, last: Array, w: Array, bias: Array, state: Array, y: Array, after: Array, both: Array, z: Array, p: Array
) -> None:
    """Run one step; sums in float64."""
    inputs, units = p[1], p[2]
    depth = inputs + units
    for b in range(p[0]):
        join_rows(x, last, both, b, inputs, units)
        for row in range(4 * units):
            total = np.float64(bias[row])
            for i in range(depth):
                total += np.float64(w[row * depth + i]) * np.float64(both[b * depth + i])
            z[b * 4 * units + row] = np.float32(total)
        for u in range(units):
            at = b * 4 * units + u
            gate, forget = 1.0 + exp64(-np.float64(z[at])), 1.0 + exp64(-np.float64(z[at + 2 * units]))
            value = tanh64(np.float64(z[at + units])) / gate + np.float64(state[b * units + u]) / forget
            after[b * units + u] = np.float32(value)
            y[b * units + u] = np.float32(tanh64(value) / (1.0 + exp64(-np.float64(z[at + 3 * units]))))


@kernel
def basic_integer(
    x: Array, last: Array, w: Array, bias: Array, state: Array, y: Array, after: Array, both: Array, z: Array, p: Array
) -> None:
    """As basic_float in integers; p goes on: the matrix's zero point, the rescale of the sums."""
    inputs, units = p[1], p[2]
    depth = inputs + units
    for b in range(p[0]):
        join_rows(x, last, both, b, inputs, units)
        for row in range(4 * units):
            total = np.int64(bias[row])
            for i in range(depth):
                total += (np.int64(w[row * depth + i]) - p[3]) * (np.int64(both[b * depth + i]) - 128)
            z[b * 4 * units + row] = clamp16(rescale(wrap32(total), p[4], p[5]))
        for u in range(units):
            at = b * 4 * units + u
            gates = clamp16(0)
            added = np.int64(0)
            kept = np.int64(0)
            for k in range(4):
                gates = curve16(np.int64(z[at + k * units]), np.int64(k == 1), np.int64(3))
                if k == 0:
                    added = gates
                elif k == 1:
                    added = half_product(added, gates)
                elif k == 2:
                    kept = half_product(gates, np.int64(state[b * units + u]))
            value = clamp16(rounding_shift(added, np.int64(4)) + kept)
            after[b * units + u] = value
            value = half_product(gates, curve16(clamp16(value << 1), np.int64(1), np.int64(3)))
            y[b * units + u] = 128 + clamp(rounding_shift(value, np.int64(8)), np.int64(-128), np.int64(127))


def prepare_basic(node: Node) -> Prepared:
    """Prepare the basic kernel: x [B, D], last output [B, U], matrix [4 * U, D + U], biases [4 * U], cells [B, U]."""
    node.require(len(node.inputs) == 5, f"{len(node.inputs)} inputs; the basic kernel needs 5")
    node.require(len(node.outputs) == 4, f"{len(node.outputs)} outputs; the basic kernel has 4")
    x, last, w, bias, state = (node.input(i) for i in range(5))
    node.require(len(x.shape) == 2 and len(last.shape) == 2, "input and last output need a rank of 2")
    (batch, inputs), units = x.shape, last.shape[1]
    require_shape(node, last, (batch, units), "the last output")
    require_shape(node, w, (4 * units, inputs + units), "the matrix")
    require_shape(node, bias, (4 * units,), "the bias")
    require_shape(node, state, (batch, units), "the cell")
    found = [o.dtype for o in (x, last, w, bias, state, *node.outputs)]
    numbers = [batch, inputs, units]
    if set(found) != {FLOAT}:
        allowed = [UINT8, UINT8, UINT8, INT32, INT16, UINT8, INT16, UINT8, INT16]
        if found != allowed:
            raise node.unsupported(f"dtypes {', '.join(map(str, found))} are not supported")
        numbers += _integers(node)
    p = np.array(numbers, np.int64)

    def build(m: Memory) -> Step:
        function = basic_float if len(numbers) == 3 else basic_integer
        step = bind(function, *m.inputs, *m.outputs, p)
        kept = [(m.inputs[i], m.outputs[o]) for i, o in ((1, 0), (4, 1)) if node.input(i).variable]
        return _keeping(step, kept) if kept else step

    shapes = ((batch, units), (batch, units), (batch, inputs + units), (batch, 4 * units))
    return Prepared(shapes, build)


def _keeping(step: Step, pairs: list[tuple[Array, Array]]) -> Step:
    """Let states that are variables hold the last outputs."""

    def run() -> None:
        step()
        for variable, output in pairs:
            np.copyto(variable, output)

    return run


def _integers(node: Node) -> list[int]:
    """Check the quantization, most of which is fixed; returns the matrix's zero point and the rescale of the sums."""
    check_quantized(node, node.input(2), node.input(3))
    fixed = [(node.input(0), *ACTIVATION), (node.input(1), *ACTIVATION), (node.input(4), CELL, 0)]
    fixed += [(node.outputs[0], *ACTIVATION), (node.outputs[1], CELL, 0)]
    for operand, scale, zero_point in fixed:
        check_quantized(node, operand)
        near = abs(math.log2(operand.scale / scale)) < 1e-3
        found = f"({operand.scale:g}, {operand.zero_point})"
        node.require(near and operand.zero_point == zero_point, f"{found}; only ({scale:g}, {zero_point}) is allowed")
    real = float32(node.input(3).scale) / SUM
    return [node.input(2).zero_point, *multiplier(node, real)]
