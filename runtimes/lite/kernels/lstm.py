"""LSTM, UNIDIRECTIONAL_SEQUENCE_LSTM and BIDIRECTIONAL_SEQUENCE_LSTM in float32, with float32 or int8 weights.

The weights of a cell are packed once, when its kernel is bound, into one matrix of 4 * U rows (input, forget, update
and output gate), each row the weights of input, auxiliary input and last output. int8 weights become float32 there:
what other runtimes lose by quantizing inputs on the fly is not imitated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opconform.harness.model import Array, Shape
from opconform.runtimes.lite.floatmath import exp64, tanh64
from opconform.runtimes.lite.graph import Memory, Node, Prepared, Step
from opconform.runtimes.lite.jit import Number, bind, helper, kernel
from opconform.runtimes.lite.kernels.lstm_basic import prepare_basic
from opconform.runtimes.lite.kernels.lstm_int import Integer, prepare_integer
from opconform.runtimes.lite.kernels.lstm_shapes import Cell, Extents, clips, extents, optional
from opconform.runtimes.lite.kernels.rnn import (
    FLOAT,
    Sequence3,
    cell_activation,
    float_weights,
    real,
    sequence_of,
)
from opconform.runtimes.lite.quantize import INT8, INT16

#: LSTMOptions.kernel_type of the kernel with one matrix.
BASIC = 1
VARIANCE_FLOOR = 1e-8


@helper
def squash(value: Number, tanh: Number, bounds: Array) -> Number:
    """Apply the activation of update and output: tanh, or a clamp."""
    value = tanh64(value) if tanh else value
    value = bounds[0] if value < bounds[0] else value
    return bounds[1] if value > bounds[1] else value


@helper
def finish_gate(z: Array, gate: Number, units: Number, more: Array, normed: Number) -> None:
    """Normalize a gate's sums, scale them and add the bias, which is then not in them yet."""
    start = gate * units
    if normed:
        mean = 0.0
        for u in range(units):
            mean += z[start + u]
        mean /= units
        variance = 0.0
        for u in range(units):
            variance += (z[start + u] - mean) * (z[start + u] - mean)
        factor = 1.0 / np.sqrt(variance / units + VARIANCE_FLOOR)
        for u in range(units):
            at = 8 * units + start + u
            z[start + u] = (z[start + u] - mean) * factor * np.float64(more[at]) + np.float64(more[start + u])


@helper
def sum_inputs(
    x: Array, aux: Array, w: Array, more: Array, h: Array, c: Array, z: Array, at: Number, aside: Number, b: Number,
    p: Array,
) -> None:  # fmt: skip
    """Weigh input, auxiliary input, last output and, by the peepholes of i and f, the cell of one row of the batch."""
    inputs, others, units, outputs, coupled = p[2], p[3], p[4], p[5], p[15]
    depth = inputs + others + outputs
    for row in range(coupled * units, 4 * units):
        total = 0.0 if p[16] else np.float64(more[row])
        start = row * depth
        for i in range(inputs):
            total += np.float64(w[start + i]) * np.float64(x[at + i])
        for i in range(others):
            total += np.float64(w[start + inputs + i]) * np.float64(aux[aside + i])
        for i in range(outputs):
            total += np.float64(w[start + inputs + others + i]) * np.float64(h[b * outputs + i])
        if row < 2 * units:
            total += np.float64(more[4 * units + row]) * np.float64(c[b * units + row % units])
        z[row] = total


@helper
def update_cell(more: Array, c: Array, z: Array, b: Number, bounds: Array, p: Array) -> None:
    """Forget, add, clip; then add what the output gate's peephole sees of the new cell."""
    units, coupled = p[4], p[15]
    for u in range(units):
        forget = 1.0 / (1.0 + exp64(-z[units + u]))
        share = 1.0 - forget if coupled else 1.0 / (1.0 + exp64(-z[u]))
        value = forget * np.float64(c[b * units + u]) + share * squash(z[2 * units + u], p[14], bounds)
        value = bounds[2] if value < bounds[2] else value
        value = bounds[3] if value > bounds[3] else value
        c[b * units + u] = np.float32(value)
        z[3 * units + u] += np.float64(more[7 * units + u]) * np.float64(c[b * units + u])


@helper
def emit(
    projection: Array, h: Array, c: Array, out: Array, z: Array, b: Number, to: Number, bounds: Array, p: Array
) -> None:
    """Open the output gate and project what comes out of it, where there is a projection."""
    units, outputs = p[4], p[5]
    for u in range(units):
        seen = squash(np.float64(c[b * units + u]), p[14], bounds)
        z[4 * units + u] = seen / (1.0 + exp64(-z[3 * units + u]))
    for o in range(outputs):
        value = z[4 * units + o] if not p[17] else np.float64(projection[outputs * units + o])
        if p[17]:
            for u in range(units):
                value += np.float64(projection[o * units + u]) * z[4 * units + u]
        value = bounds[4] if value < bounds[4] else value
        value = bounds[5] if value > bounds[5] else value
        h[b * outputs + o] = np.float32(value)
        out[to + o] = np.float32(value)


@kernel
def lstm_float(
    x: Array, aux: Array, w: Array, more: Array, projection: Array, h: Array, c: Array, out: Array, z: Array,
    bounds: Array, p: Array,
) -> None:  # fmt: skip
    """Run a sequence; sums in float64.

    more: biases, peepholes, norms (4 * U each). projection: [P, U], then P biases. z: room for 5 * U sums. bounds: of
    the activation, of the cell, of the projected output. p: steps, batch, inputs, auxiliary inputs, U, P; strides of x,
    aux and out by time and by batch; first output of a row; then whether: time runs backward, tanh, no input gate,
    norms, projection.
    """
    steps = p[0]
    for step in range(steps):
        t = steps - 1 - step if p[13] else step
        for b in range(p[1]):
            sum_inputs(x, aux, w, more, h, c, z, t * p[6] + b * p[7], t * p[8] + b * p[9], b, p)
            for gate in range(p[15], 3):
                finish_gate(z, gate, p[4], more, p[16])
            update_cell(more, c, z, b, bounds, p)
            finish_gate(z, 3, p[4], more, p[16])
            emit(projection, h, c, out, z, b, t * p[10] + b * p[11] + p[12], bounds, p)


def _check_float(node: Node, cell: Cell, e: Extents) -> None:
    """Check dtypes of a float cell: floats but for weights, peepholes and projection, which may all be int8."""
    first = cell.first
    weights = [optional(node, first + i) for i in (*range(11), 15)]
    weights += [optional(node, cell.auxiliary + i) for i in range(4)] if cell.auxiliary >= 0 else []
    float_weights(node, [w for w in weights if w is not None])
    others = [optional(node, i) for i in (cell.x, cell.aux, cell.h, cell.c, *range(first + 11, first + 15), first + 16)]
    others += [optional(node, cell.norms + i) for i in range(4)] if cell.norms >= 0 else []
    found = {o.dtype for o in others if o is not None} | {o.dtype for o in node.outputs}
    node.require(found == {FLOAT}, f"{', '.join(sorted(map(str, found)))} where only float32 is allowed")
    everything = [o for o in (*weights, *others) if o is not None and not o.variable]
    fed = [o for o in everything if o.data is None]
    if any(o not in (node.inputs[cell.x], optional(node, cell.aux)) for o in fed):
        raise node.unsupported("parameters that are no constants are not supported")


def _packed(node: Node, cell: Cell, e: Extents, m: Memory) -> tuple[Array, Array, Array]:
    """Return the matrix of all weights, the vectors beside it and the projection, zeros for what is absent."""

    def filled(index: int, *shape: int) -> Array:
        operand = optional(node, index)
        return np.zeros(shape, FLOAT) if operand is None else real(operand, m.inputs[index]).reshape(shape)

    first, none = cell.first, -1
    rows = [
        np.concatenate(
            [
                filled(first + gate, e.units, e.inputs),
                filled(cell.auxiliary + gate if cell.auxiliary >= 0 else none, e.units, e.others),
                filled(first + 4 + gate, e.units, e.outputs),
            ],
            axis=1,
        )
        for gate in range(4)
    ]
    biases = [filled(first + 11 + gate, e.units) for gate in range(4)]
    peepholes = [filled(index, e.units) for index in (first + 8, first + 9, none, first + 10)]
    norms = [filled(cell.norms + gate if cell.norms >= 0 else none, e.units) for gate in range(4)]
    projection = [filled(first + 15, e.outputs * e.units), filled(first + 16, e.outputs)] if e.projected else []
    return (
        np.concatenate(rows).ravel(),
        np.concatenate([*biases, *peepholes, *norms]),
        np.concatenate(projection) if projection else np.zeros(0, FLOAT),
    )


@dataclass(frozen=True, slots=True)
class _Float:
    """One checked direction, ready to be bound."""

    cell: Cell
    extents: Extents
    bounds: Array
    p: Array

    def bind(self, node: Node, m: Memory, out: Array) -> Step:
        cell = self.cell
        aux = m.inputs[cell.aux] if cell.aux >= 0 else np.zeros(0, FLOAT)
        w, more, projection = _packed(node, cell, self.extents, m)
        z = m.scratch[0].view(np.float64)
        states = m.inputs[cell.h], m.inputs[cell.c]
        return bind(lstm_float, m.inputs[cell.x], aux, w, more, projection, *states, out, z, self.bounds, self.p)


def _float(node: Node, cell: Cell, form: Sequence3, e: Extents, width: int, offset: int, backward: bool) -> _Float:
    _check_float(node, cell, e)
    name, activation = cell_activation(node)
    cell_clip, projection_clip = clips(node)
    pairs = [(clip if clip > 0 else np.inf) for clip in (cell_clip, projection_clip if e.projected else 0.0)]
    bounds = np.array([*activation, *(sign * clip for clip in pairs for sign in (-1, 1))], np.float64)
    strides = [*form.strides(e.inputs), *form.strides(e.others), *form.strides(width)]
    flags = [backward, name == "TANH", e.coupled, e.normed, e.projected]
    sizes = [form.steps, form.batch, e.inputs, e.others, e.units, e.outputs]
    return _Float(cell, e, bounds, np.array([*sizes, *strides, offset, *flags], np.int64))


def prepare_sequence(node: Node) -> Prepared:
    """Prepare UNIDIRECTIONAL_SEQUENCE_LSTM: input [T, B, D] or [B, T, D], parameters, two states, four norms or not."""
    form = sequence_of(node, node.input(0))
    return _single(node, form, form.shape)


def prepare_lstm(node: Node) -> Prepared:
    """Prepare LSTM: one step over [B, D]."""
    if node.options.number("kernel_type") == BASIC:
        return prepare_basic(node)
    x = node.input(0)
    node.require(len(x.shape) == 2, f"the input has the shape {list(x.shape)}; a rank of 2 is needed")
    return _single(node, Sequence3(1, x.shape[0], True), lambda width: (x.shape[0], width))


def _single(node: Node, form: Sequence3, shape: object) -> Prepared:
    node.require(len(node.inputs) in (20, 24), f"{len(node.inputs)} inputs; 20 or 24 are needed")
    cell = Cell(0, 1, 18, 19, 20 if len(node.inputs) == 24 else -1)
    e = extents(node, cell, form.batch)
    node.require(len(node.outputs) == 1, f"{len(node.outputs)} outputs; 1 is needed")
    one: _Float | Integer
    if node.input(0).dtype in (INT8, INT16):
        one = prepare_integer(node, cell, form, e, node.op == "UNIDIRECTIONAL_SEQUENCE_LSTM")
    else:
        one = _float(node, cell, form, e, e.outputs, 0, False)
    result: Shape = shape(e.outputs)  # type: ignore[operator]
    return Prepared((result,), lambda m: one.bind(node, m, m.outputs[0]), (40 * e.units,))


def prepare_bidirectional(node: Node) -> Prepared:
    """Prepare BIDIRECTIONAL_SEQUENCE_LSTM: input, parameters twice, four states, auxiliary input, its weights twice.

    Without weights for it, the auxiliary input takes the place of the backward cell's input.
    """
    x, aux = node.input(0), node.optional(39)
    form = sequence_of(node, x)
    linked = [optional(node, 40 + i) is not None for i in (1, 2, 3, 5, 6, 7)]
    node.require(all(linked) or not any(linked), "auxiliary weights are there all or none")
    node.require(not any(linked) or aux is not None, "there are auxiliary weights and no auxiliary input")
    node.require(aux is None or (len(aux.shape) == 3 and aux.shape[:2] == x.shape[:2]), "the auxiliary input's shape")
    shared = (39, 40, 44) if linked[0] else (-1, -1, -1)
    source = 39 if aux is not None and not linked[0] else 0
    cells = Cell(0, 1, 35, 36, -1, *shared[:2]), Cell(source, 18, 37, 38, -1, shared[0], shared[2])
    found = [extents(node, cell, form.batch) for cell in cells]
    merge = bool(node.options.number("merge_outputs"))
    node.require(len(node.outputs) == (1 if merge else 2), f"{len(node.outputs)} outputs; merge_outputs is {merge}")
    ahead, behind = found[0].outputs, found[1].outputs
    widths = (ahead + behind, ahead + behind) if merge else (ahead, behind)
    forward = _float(node, cells[0], form, found[0], widths[0], 0, False)
    backward = _float(node, cells[1], form, found[1], widths[1], ahead if merge else 0, True)

    def build(m: Memory) -> Step:
        first, second = forward.bind(node, m, m.outputs[0]), backward.bind(node, m, m.outputs[-1])
        return lambda: (first(), second())

    shapes: Sequence[Shape] = [form.shape(width) for width in widths[: len(node.outputs)]]
    return Prepared(tuple(shapes), build, (40 * max(e.units for e in found),))
