"""RNN, UNIDIRECTIONAL_SEQUENCE_RNN and BIDIRECTIONAL_SEQUENCE_RNN: a dense layer that sees its earlier output.

Weights of 8 bits beside float32 inputs are turned to float32 once, when the kernel is bound: what other runtimes lose
by quantizing inputs on the fly is not imitated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opconform.harness.model import Array, Shape
from opconform.harness.schema import ACTIVATIONS
from opconform.runtimes.lite.floatmath import tanh64
from opconform.runtimes.lite.graph import Memory, Node, Operand, Prepared, Step
from opconform.runtimes.lite.jit import bind, kernel
from opconform.runtimes.lite.quantize import INT8, UINT8, check_quantized, dequantized

FLOAT = np.dtype(np.float32)
#: What ops with state allow of the schema's activations, as (lower bound, upper bound).
BOUNDS = {
    "NONE": (-math.inf, math.inf),
    "RELU": (0.0, math.inf),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU6": (0.0, 6.0),
    "TANH": (-math.inf, math.inf),
}


@kernel
def rnn_float(
    x: Array, aux: Array, w: Array, extra: Array, r: Array, bias: Array, h: Array, out: Array, totals: Array,
    bounds: Array, p: Array,
) -> None:  # fmt: skip
    """Run a sequence; sums in float64. p: steps, batch, inputs, auxiliary inputs, units; strides of x, aux and out.

    Strides are by time and by batch; then the first output of a row, whether time runs backward, whether tanh follows.
    """
    steps, batch, inputs, others, units = p[0], p[1], p[2], p[3], p[4]
    for step in range(steps):
        t = steps - 1 - step if p[12] else step
        for b in range(batch):
            at, aside, to = t * p[5] + b * p[6], t * p[7] + b * p[8], t * p[9] + b * p[10] + p[11]
            for u in range(units):
                total = np.float64(bias[u])
                for i in range(inputs):
                    total += np.float64(w[u * inputs + i]) * np.float64(x[at + i])
                for i in range(others):
                    total += np.float64(extra[u * others + i]) * np.float64(aux[aside + i])
                for i in range(units):
                    total += np.float64(r[u * units + i]) * np.float64(h[b * units + i])
                totals[u] = total
            for u in range(units):
                total = tanh64(totals[u]) if p[13] else totals[u]
                total = bounds[0] if total < bounds[0] else total
                total = bounds[1] if total > bounds[1] else total
                h[b * units + u] = np.float32(total)
                out[to + u] = np.float32(total)


@dataclass(frozen=True, slots=True)
class Sequence3:
    """How a sequence lies in memory: [T, B, K], or [B, T, K] where time is not major."""

    steps: int
    batch: int
    time_major: bool

    def strides(self, width: int) -> tuple[int, int]:
        """Return the distance of two steps and of two rows of the batch."""
        return (self.batch * width, width) if self.time_major else (width, self.steps * width)

    def shape(self, width: int) -> Shape:
        """Return the shape of a sequence of that width."""
        return (self.steps, self.batch, width) if self.time_major else (self.batch, self.steps, width)


def sequence_of(node: Node, x: Operand) -> Sequence3:
    """Return how the input of a sequence op lies."""
    node.require(len(x.shape) == 3, f"the input has the shape {list(x.shape)}; a rank of 3 is needed")
    major = bool(node.options.number("time_major"))
    first, second = x.shape[:2]
    return Sequence3(first, second, True) if major else Sequence3(second, first, False)


def cell_activation(node: Node) -> tuple[str, Array]:
    """Return the activation of a recurrent op, and its bounds."""
    code = node.options.number("activation")
    name = ACTIVATIONS[code] if 0 <= code < len(ACTIVATIONS) else ""
    node.require(name in BOUNDS, f"activation code {code}; {', '.join(BOUNDS)} are allowed")
    return name, np.array(BOUNDS[name], np.float64)


def require_shape(node: Node, operand: Operand, shape: Sequence[int], what: str) -> None:
    """Raise InvalidModel unless an operand has this shape."""
    node.require(operand.shape == tuple(shape), f"{what} has the shape {list(operand.shape)}; {list(shape)} is needed")


def require_state(node: Node, operand: Operand, count: int, dtype: np.dtype[np.generic], what: str) -> None:
    """Raise InvalidModel unless an operand is a variable of this dtype and size; its rank does not matter."""
    node.require(operand.variable, f"{what} must be a variable tensor")
    node.require(operand.dtype == dtype, f"{what} is {operand.dtype}; {dtype} is needed")
    node.require(operand.size == count, f"{what} has the shape {list(operand.shape)}; {count} elements are needed")


def float_weights(node: Node, weights: Sequence[Operand]) -> None:
    """Raise where weights are not all float32, or all constant integers of 8 bits with a scale each."""
    dtypes = {w.dtype for w in weights}
    node.require(len(dtypes) == 1, "all weights must have one dtype")
    if dtypes in ({INT8}, {UINT8}):
        node.require(all(w.data is not None for w in weights), "weights of 8 bits must be constants")
        check_quantized(node, *weights)
    elif dtypes != {FLOAT}:
        raise node.unsupported(f"weights of {weights[0].dtype} are not supported")


def real(operand: Operand, flat: Array) -> Array:
    """Return weights as float32: what is given, or what integers of 8 bits stand for."""
    return dequantized(operand, flat) if operand.dtype in (INT8, UINT8) else flat


@dataclass(frozen=True, slots=True)
class _Cell:
    """One direction: positions of its operands among the node's inputs; -1 for an auxiliary input it lacks."""

    x: int
    w: int
    r: int
    bias: int
    h: int
    aux: int = -1
    extra: int = -1


def _check(node: Node, cell: _Cell, batch: int, lead: Shape) -> int:
    """Check the operands of one direction; returns the number of its units."""
    x, w, r, bias = (node.input(i) for i in (cell.x, cell.w, cell.r, cell.bias))
    node.require(len(w.shape) == 2, f"the weights have rank {len(w.shape)}; 2 is needed")
    units = w.shape[0]
    require_shape(node, w, (units, x.shape[-1]), "the input's weights")
    require_shape(node, r, (units, units), "the recurrent weights")
    require_shape(node, bias, (units,), "the bias")
    require_shape(node, node.input(cell.h), (batch, units), "the state")
    require_state(node, node.input(cell.h), batch * units, FLOAT, "the state")
    node.require(x.dtype == FLOAT and bias.dtype == FLOAT, f"{x.dtype} inputs and {bias.dtype} biases; float32 only")
    weights = [w, r]
    if cell.aux >= 0:
        aux, extra = node.input(cell.aux), node.input(cell.extra)
        node.require(aux.dtype == FLOAT and aux.shape[:-1] == lead, "the auxiliary input must be as long as the input")
        require_shape(node, extra, (units, aux.shape[-1]), "the auxiliary input's weights")
        weights.append(extra)
    float_weights(node, weights)
    return units


def _numbers(
    node: Node, cell: _Cell, form: Sequence3, units: int, width: int, offset: int, backward: bool, tanh: bool
) -> Array:
    inputs = node.input(cell.x).shape[-1]
    others = node.input(cell.aux).shape[-1] if cell.aux >= 0 else 0
    strides = [*form.strides(inputs), *form.strides(others), *form.strides(width)]
    return np.array([form.steps, form.batch, inputs, others, units, *strides, offset, backward, tanh], np.int64)


def _bound(node: Node, cell: _Cell, m: Memory, out: Array, bounds: Array, p: Array) -> Step:
    """Bind the kernel for one direction."""
    w, r = real(node.input(cell.w), m.inputs[cell.w]), real(node.input(cell.r), m.inputs[cell.r])
    aux = m.inputs[cell.aux] if cell.aux >= 0 else np.zeros(0, FLOAT)
    extra = real(node.input(cell.extra), m.inputs[cell.extra]) if cell.aux >= 0 else np.zeros(0, FLOAT)
    totals = m.scratch[0].view(np.float64)
    return bind(rnn_float, m.inputs[cell.x], aux, w, extra, r, m.inputs[cell.bias], m.inputs[cell.h], out, totals, bounds, p)  # fmt: skip  # noqa: E501


def prepare_rnn(node: Node) -> Prepared:
    """Prepare RNN: input [B, D], weights [U, D] and [U, U], bias [U], state [B, U]."""
    x = node.input(0)
    node.require(len(x.shape) == 2, f"the input has the shape {list(x.shape)}; a rank of 2 is needed")
    return _single(node, Sequence3(1, x.shape[0], True), lambda units: (x.shape[0], units))


def prepare_sequence(node: Node) -> Prepared:
    """Prepare UNIDIRECTIONAL_SEQUENCE_RNN: as RNN, with inputs [T, B, D] or [B, T, D]."""
    form = sequence_of(node, node.input(0))
    return _single(node, form, form.shape)


def _single(node: Node, form: Sequence3, shape: object) -> Prepared:
    cell = _Cell(0, 1, 2, 3, 4)
    units = _check(node, cell, form.batch, node.input(0).shape[:-1])
    name, bounds = cell_activation(node)
    node.require(node.output().dtype == FLOAT, "the output must be float32")
    p = _numbers(node, cell, form, units, units, 0, False, name == "TANH")

    def build(m: Memory) -> Step:
        return _bound(node, cell, m, m.outputs[0], bounds, p)

    result: Shape = shape(units)  # type: ignore[operator]
    return Prepared((result,), build, (8 * units,))


def prepare_bidirectional(node: Node) -> Prepared:
    """Prepare BIDIRECTIONAL_SEQUENCE_RNN: input, (weights, recurrent, bias, state) twice, auxiliary input, its weights.

    Without weights for it, the auxiliary input takes the place of the backward cell's input.
    """
    x, aux, weights = node.input(0), node.optional(9), (node.optional(10), node.optional(11))
    form = sequence_of(node, x)
    node.require((weights[0] is None) == (weights[1] is None), "one auxiliary weight is there and the other is not")
    shared = aux is not None and weights[0] is not None
    node.require(weights[0] is None or aux is not None, "there are auxiliary weights and no auxiliary input")
    forward = _Cell(0, 1, 2, 3, 4, 9 if shared else -1, 10 if shared else -1)
    backward = _Cell(9 if aux is not None and not shared else 0, 5, 6, 7, 8, forward.aux, 11 if shared else -1)
    node.require(aux is None or (len(aux.shape) == 3 and aux.shape[:2] == x.shape[:2]), "the auxiliary input's shape")
    counts = [_check(node, cell, form.batch, x.shape[:-1]) for cell in (forward, backward)]
    name, bounds = cell_activation(node)
    merge = bool(node.options.number("merge_outputs"))
    node.require(len(node.outputs) == (1 if merge else 2), f"{len(node.outputs)} outputs; merge_outputs is {merge}")
    node.require(all(out.dtype == FLOAT for out in node.outputs), "the outputs must be float32")
    widths = [sum(counts)] * 2 if merge else counts
    numbers = [
        _numbers(node, cell, form, units, width, offset, back, name == "TANH")
        for cell, units, width, offset, back in zip(
            (forward, backward), counts, widths, (0, counts[0] if merge else 0), (False, True), strict=True
        )
    ]

    def build(m: Memory) -> Step:
        ahead = _bound(node, forward, m, m.outputs[0], bounds, numbers[0])
        behind = _bound(node, backward, m, m.outputs[-1], bounds, numbers[1])
        return lambda: (ahead(), behind())

    shapes = (form.shape(widths[0]),) if merge else tuple(form.shape(width) for width in widths)
    return Prepared(shapes, build, (8 * max(counts),))
