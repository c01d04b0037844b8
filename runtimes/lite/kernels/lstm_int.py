"""Integer cells of LSTM and UNIDIRECTIONAL_SEQUENCE_LSTM: 8- or 16-bit inputs and outputs, sums and cells of 16 bits.

A cell that TensorFlow Lite Micro has computes as micro/kernels/lstm_eval.cc: tables, products by rescales; every other
one (no input gate, peepholes, normalization, projection, the op LSTM) as TFLite's lstm_eval.cc: 16-bit fixed point,
products by shifts. Both are bit-exact, but where TFLite's peepholes take the number of outputs for that of cells, and
where it clips a projection around 0 instead of the zero point.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite.fixed16 import clamp16, curve16, table_curve16, wrap16
from opconform.runtimes.lite.fixedpoint import (
    clamp,
    inverse_sqrt,
    inverse_sqrt_shift,
    rescale,
    rescale_wide,
    rounding_shift,
    wrap32,
)
from opconform.runtimes.lite.graph import Memory, Node, Operand, Step
from opconform.runtimes.lite.jit import Number, bind, helper, kernel
from opconform.runtimes.lite.kernels.lstm_shapes import Cell, Extents, clips, optional
from opconform.runtimes.lite.kernels.rnn import Sequence3, cell_activation
from opconform.runtimes.lite.kernels.tables import SIGMOID
from opconform.runtimes.lite.quantize import (
    INT8,
    INT16,
    INT32,
    RANGES,
    check_quantized,
    float32,
    multiplier,
    same_quantization,
)

INT64 = np.dtype(np.int64)
SUM, GATE = 2.0**-12, 2.0**-15
#: Positions in p: sizes and strides, flags, then numbers; gates have eight each (four rescales) and a guard.
STEPS, BATCH, INPUTS, UNITS, OUTPUTS, X_TIME, X_BATCH, OUT_TIME, OUT_BATCH = range(9)
COUPLED, NORMED, PLAIN, WIDE, PROJECTED, PEEPHOLE = range(9, 15)
ZERO_X, ZERO_H, ZERO_M, POWER, CELL_CLIP, PROJECTION_CLIP, LOW, HIGH = range(15, 23)
ADDED, HIDDEN, PROJECTION, GATES = 23, 25, 27, 32
PER_GATE, GUARD = 8, GATES + 4 * 8


@helper
def trunc_divide(a: Number, b: Number) -> Number:
    """Return a / b cut towards zero, as C divides; b > 0."""
    return a // b if a >= 0 else -((-a) // b)


@helper
def normalize16(z: Array, gate: Number, more: Array, p: Array) -> None:
    """Bring a gate's sums to mean 0 and deviation 1 with 10 fractional bits, scale, add the bias."""
    units = p[UNITS]
    start = gate * units
    total = np.int64(0)
    squares = np.int64(0)
    for u in range(units):
        total += z[start + u]
        squares += z[start + u] * z[start + u]
    mean = trunc_divide(total * 1024, units)
    variance = trunc_divide(squares * (1048576 // units) - mean * mean, np.int64(1048576))
    variance = p[GUARD + gate] if variance < 1 else wrap32(variance)
    factor, shift = inverse_sqrt(variance), inverse_sqrt_shift(variance)
    first, second = p[GATES + PER_GATE * gate + 6], p[GATES + PER_GATE * gate + 7]
    for u in range(units):
        value = rescale(1024 * z[start + u] - mean, factor, -shift)
        value = value * more[8 * units + start + u] + more[start + u]
        value = wrap32(trunc_divide(value + 512 if value > 0 else value - 512, np.int64(1024)))
        z[start + u] = clamp16(rescale(value, first, second + 12))


@helper
def sum_row(
    x: Array, w: Array, r: Array, more: Array, h: Array, row: Number, at: Number, b: Number, p: Array
) -> Number:
    """Weigh input and last output for one row of the gates' weights, each rescaled to 12 fractional bits."""
    inputs, outputs = p[INPUTS], p[OUTPUTS]
    q = GATES + PER_GATE * (row // p[UNITS])
    first = np.int64(0) if p[NORMED] else more[row]
    for i in range(inputs):
        first += np.int64(w[row * inputs + i]) * (np.int64(x[at + i]) - p[ZERO_X])
    second = np.int64(0)
    for o in range(outputs):
        second += np.int64(r[row * outputs + o]) * (np.int64(h[b * outputs + o]) - p[ZERO_H])
    if p[WIDE]:
        first = rescale_wide(first, p[q], p[q + 1])
        second = rescale_wide(second, p[q + 2], p[q + 3])
    else:
        first = rescale(wrap32(first), p[q], p[q + 1])
        second = rescale(wrap32(second), p[q + 2], p[q + 3])
    second = clamp16(second) if p[PLAIN] else second
    return clamp16(clamp16(first) + second)


@helper
def curves(z: Array, start: Number, stop: Number, tanh: Number, integer_bits: Number, table: Array, p: Array) -> None:
    """Turn numbers with that many integer bits into their sigmoids, or hyperbolic tangents."""
    shift = integer_bits - 3
    for i in range(start, stop):
        if p[PLAIN]:
            place = z[i] * 3 << shift if shift >= 0 else (z[i] * 3 + (np.int64(1) << (-shift - 1))) >> -shift
            z[i] = table_curve16(place, tanh, table)
        else:
            z[i] = curve16(z[i], tanh, integer_bits)


@helper
def next_state(z: Array, state: Number, u: Number, p: Array) -> Number:
    """Return the new value of a cell from the gates i, f and g."""
    units = p[UNITS]
    f = z[units + u]
    i = 32767 - f if p[COUPLED] else z[u]
    if p[PLAIN]:
        kept = clamp16(rescale(f * state, np.int64(1073741824), np.int64(-14)))
        state = clamp16(kept + clamp16(rescale(i * z[2 * units + u], p[ADDED], p[ADDED + 1])))
    else:
        added = wrap16(rounding_shift(i * z[2 * units + u], 30 + p[POWER]))
        state = clamp16(rounding_shift(f * state, np.int64(15)) + added)
    if p[CELL_CLIP] > 0:
        state = clamp(state, -p[CELL_CLIP], p[CELL_CLIP])
    return state


@helper
def project(projection: Array, more: Array, z: Array, o: Number, p: Array) -> Number:
    """Return one output of the projection."""
    units = p[UNITS]
    value = more[12 * units + o]
    for u in range(units):
        value += np.int64(projection[o * units + u]) * z[4 * units + u]
    value = clamp(rescale(wrap32(value), p[PROJECTION], p[PROJECTION + 1]) + p[ZERO_H], p[LOW], p[HIGH])
    if p[PROJECTION_CLIP] > 0:
        value = clamp(value - p[ZERO_H], -p[PROJECTION_CLIP], p[PROJECTION_CLIP]) + p[ZERO_H]
    return value


@helper
def advance(more: Array, c: Array, table: Array, z: Array, b: Number, p: Array) -> None:
    """Open the gates of one row of the batch and update its cells; then z has o and the tanh of the cells."""
    units = p[UNITS]
    if p[NORMED]:
        for gate in range(p[COUPLED], 3):
            normalize16(z, gate, more, p)
    curves(z, p[COUPLED] * units, 2 * units, np.int64(0), np.int64(3), table, p)
    curves(z, 2 * units, 3 * units, np.int64(1), np.int64(3), table, p)
    for u in range(units):
        state = next_state(z, np.int64(c[b * units + u]), u, p)
        c[b * units + u] = state
        z[4 * units + u] = state
        if p[PEEPHOLE]:
            q = GATES + PER_GATE * 3
            z[3 * units + u] = clamp16(rescale(more[7 * units + u] * state, p[q + 4], p[q + 5]) + z[3 * units + u])
    if p[NORMED]:
        normalize16(z, 3, more, p)
    curves(z, 3 * units, 4 * units, np.int64(0), np.int64(3), table, p)
    curves(z, 4 * units, 5 * units, np.int64(1), 15 + p[POWER], table, p)


@kernel
def lstm_integer(
    x: Array, w: Array, r: Array, more: Array, projection: Array, h: Array, c: Array, out: Array, table: Array,
    z: Array, p: Array,
) -> None:  # fmt: skip
    """Run a sequence.

    w, r: all gates' weights of input and last output; more: biases, peepholes, norms, 4 * U each, then the projection's
    bias; z: room for 5 * U numbers; p: as the names above.
    """
    units, outputs = p[UNITS], p[OUTPUTS]
    for t in range(p[STEPS]):
        for b in range(p[BATCH]):
            at, to = t * p[X_TIME] + b * p[X_BATCH], t * p[OUT_TIME] + b * p[OUT_BATCH]
            for row in range(p[COUPLED] * units, 4 * units):
                z[row] = sum_row(x, w, r, more, h, row, at, b, p)
                if p[PEEPHOLE] and row < 2 * units:
                    q = GATES + PER_GATE * (row // units)
                    seen = more[4 * units + row] * np.int64(c[b * units + row % units])
                    z[row] = clamp16(rescale(seen, p[q + 4], p[q + 5]) + z[row])
            advance(more, c, table, z, b, p)
            for u in range(units):
                value = rescale(z[3 * units + u] * z[4 * units + u], p[HIDDEN], p[HIDDEN + 1])
                if p[PROJECTED]:
                    z[4 * units + u] = clamp(value - p[ZERO_M], p[LOW], p[HIGH]) + p[ZERO_M]
                else:
                    h[b * outputs + u] = clamp(value + p[ZERO_H], p[LOW], p[HIGH])
            for o in range(outputs):
                if p[PROJECTED]:
                    h[b * outputs + o] = project(projection, more, z, o, p)
                out[to + o] = h[b * outputs + o]


@dataclass(frozen=True, slots=True)
class Integer:
    """A checked integer cell, ready to be bound."""

    cell: Cell
    extents: Extents
    p: Array

    def bind(self, node: Node, m: Memory, out: Array) -> Step:
        """Pack the parameters and bind the kernel."""
        cell, e = self.cell, self.extents

        def filled(index: int, count: int, dtype: np.dtype[np.generic] = INT64) -> Array:
            there = optional(node, index) is not None
            return m.inputs[index].astype(dtype) if there else np.zeros(count, dtype)

        first, none = cell.first, -1
        w = np.concatenate([filled(first + g, e.units * e.inputs, INT8) for g in range(4)])
        r = np.concatenate([filled(first + 4 + g, e.units * e.outputs, INT8) for g in range(4)])
        places = [*range(first + 11, first + 15), first + 8, first + 9, none, first + 10]
        places += [cell.norms + g if cell.norms >= 0 else none for g in range(4)]
        more = np.concatenate([*[filled(i, e.units) for i in places], filled(first + 16, e.outputs)])
        projection = filled(first + 15, 0, INT8)
        z = m.scratch[0].view(np.int64)
        states = m.inputs[cell.h], m.inputs[cell.c]
        return bind(lstm_integer, m.inputs[cell.x], w, r, more, projection, *states, out, SIGMOID, z, self.p)


def prepare_integer(node: Node, cell: Cell, form: Sequence3, e: Extents, like_micro: bool) -> Integer:
    """Check an integer cell and compute its numbers; `like_micro` where TensorFlow Lite Micro has the op."""
    _check(node, cell, e)
    name, _ = cell_activation(node)
    node.require(name == "TANH", f"the activation {name}; integer cells have TANH only")
    plain = like_micro and not (e.coupled or e.peephole or e.normed or e.projected)
    p = np.zeros(GUARD + 4, np.int64)
    p[:9] = [form.steps, form.batch, e.inputs, e.units, e.outputs, *form.strides(e.inputs), *form.strides(e.outputs)]
    x, h, c = node.input(cell.x), node.input(cell.h), node.input(cell.c)
    wide = x.dtype == INT16
    node.require(plain or not wide, "a 16-bit cell has all gates and nothing else")
    p[COUPLED : PEEPHOLE + 1] = [e.coupled, e.normed, plain, wide, e.projected, e.peephole]
    p[ZERO_X], p[ZERO_H], p[POWER] = x.zero_point, h.zero_point, _power(node, c)
    inside = _intermediates(node, e)
    cell_clip, projection_clip = clips(node)
    p[CELL_CLIP] = int(min(float32(cell_clip / c.scale), 32767.0))
    p[PROJECTION_CLIP] = int(min(float32(projection_clip / h.scale), 127.0))
    p[LOW], p[HIGH] = RANGES[h.dtype]
    p[ADDED : ADDED + 2] = multiplier(node, GATE * GATE / c.scale)
    _output_numbers(node, cell, e, inside, plain, p)
    for gate in range(int(e.coupled), 4):
        quantum = inside[gate].scale if e.normed else SUM
        start = GATES + PER_GATE * gate
        p[start : start + 6] = _gate_numbers(node, cell, gate, quantum, int(p[POWER]))
        if e.normed:
            scale = node.input(cell.norms + gate).scale
            p[start + 6 : start + 8] = multiplier(node, scale)
            p[GUARD + gate] = max(1, int(float32(10000.0 * scale)))
    return Integer(cell, e, p)


def _output_numbers(node: Node, cell: Cell, e: Extents, inside: Sequence[Operand], plain: bool, p: Array) -> None:
    h = node.input(cell.h)
    if not e.projected:
        exact = GATE * GATE / h.scale
        p[HIDDEN : HIDDEN + 2] = multiplier(node, exact if plain else float32(exact))
        return
    m, weights = inside[4], node.input(cell.first + 15)
    p[ZERO_M] = m.zero_point
    p[HIDDEN : HIDDEN + 2] = multiplier(node, float32(GATE * GATE / m.scale))
    p[PROJECTION : PROJECTION + 2] = multiplier(node, float32(float32(weights.scale * m.scale) / h.scale))


def _gate_numbers(node: Node, cell: Cell, gate: int, quantum: float, power: int) -> list[int]:
    """Return the rescales of a gate's three parts; the products of scales are formed in float32."""
    pairs = ((cell.first + gate, cell.x), (cell.first + 4 + gate, cell.h))
    reals = [float32(node.input(w).scale * node.input(of).scale) for w, of in pairs]
    hole = optional(node, {0: cell.first + 8, 1: cell.first + 9, 3: cell.first + 10}.get(gate, -1))
    reals.append(float32(2.0**power * hole.scale) if hole is not None else 0.0)
    return [number for real in reals for number in multiplier(node, float32(real / quantum))]


def _power(node: Node, c: Operand) -> int:
    power = round(math.log2(c.scale))
    node.require(abs(math.log2(c.scale) - power) < 1e-3, f"a cell's scale of {c.scale:g}; a power of two is needed")
    node.require(-15 <= power <= -9, f"a cell's scale of 2**{power}; 2**-15 to 2**-9 is allowed")
    return power


def _intermediates(node: Node, e: Extents) -> tuple[Operand, ...]:
    """Return the five tensors that quantize sums and hidden values; only a cell that needs them must have them."""
    if not (e.normed or e.projected):
        return ()
    inside = node.intermediates
    node.require(len(inside) == 5, f"{len(inside)} intermediates; 5 are needed")
    needed = [*(inside[int(e.coupled) : 4] if e.normed else ()), *(inside[4:] if e.projected else ())]
    check_quantized(node, *needed)
    return inside


def _check(node: Node, cell: Cell, e: Extents) -> None:
    """Check dtypes, quantization and that parameters are constants."""
    first, x, h, c, out = cell.first, node.input(cell.x), node.input(cell.h), node.input(cell.c), node.outputs[0]
    node.require(x.dtype == h.dtype == out.dtype, f"{x.dtype} inputs, {h.dtype} states and {out.dtype} outputs")
    node.require(c.dtype == INT16, f"a cell of {c.dtype}; an integer one is int16")
    groups = (
        (INT8, [*range(first, first + 8), first + 15]),
        (INT16, [*range(first + 8, first + 11), *(range(cell.norms, cell.norms + 4) if cell.norms >= 0 else ())]),
        (INT64 if x.dtype == INT16 else INT32, [*range(first + 11, first + 15), first + 16]),
    )
    for dtype, places in groups:
        for place in places:
            operand = optional(node, place)
            if operand is None:
                continue
            node.require(operand.dtype == dtype, f"input {place} is {operand.dtype}; {dtype} is needed")
            if operand.data is None:
                raise node.unsupported("parameters that are no constants are not supported")
            if dtype in (INT8, INT16):
                check_quantized(node, operand)
                node.require(operand.zero_point == 0, f"input {place} has a zero point; weights are symmetric")
    check_quantized(node, x, h, c, out)
    same_quantization(node, h, out)
