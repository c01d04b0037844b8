"""What recurrent cells are made of, each value with a bound of how far a runtime's may be from it.

A `Ball` is a real value and the radius that holds every runtime which adds no more than the `Noise` of a spec to each
step. Radii are carried from step to step, so that an error's way through the state is followed with the weights, gates
and slopes at hand: running error analysis (Higham, Accuracy and Stability of Numerical Algorithms, ch. 3.3). Without
noise all radii are zero and the values are the definition.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.reference.kernels._common import LIMITS

#: Added to a variance before its root: TFLite's MeanStddevNormalization.
VARIANCE_FLOOR = 1e-8


@dataclass(frozen=True, slots=True)
class Noise:
    """What a runtime's arithmetic adds to the exact result of one step; absolute, where nothing else is said.

    `unit`: relative rounding of one float operation. `operand`: error of an element of a matrix product's input,
    relative to the largest of its row. `sum`: of each part of a pre-activation; `relative`: the same, relative
    to the part. `sum_limit`: magnitude at which pre-activations saturate. `curve`: of sigmoid and tanh. `product`: of
    an update of the cell, which saturates at `cell_limit`; `clip`: of the cell's bound. `hidden`: of the cell's output
    before it is projected, which saturates at `hidden_limits`. `output`: of the output, which saturates at
    `output_limits`. `norm`: of a normalized value; `grain`: quantum of the integers that are
    normalized; `gate`: of what comes of it, which saturates at `gate_limit`.
    """

    unit: float = 0.0
    operand: float = 0.0
    sum: float = 0.0
    relative: float = 0.0
    sum_limit: float = np.inf
    curve: float = 0.0
    product: float = 0.0
    cell_limit: float = np.inf
    clip: float = 0.0
    hidden: float = 0.0
    hidden_limits: tuple[float, float] = (-np.inf, np.inf)
    output: float = 0.0
    output_limits: tuple[float, float] = (-np.inf, np.inf)
    norm: float = 0.0
    grain: float = 0.0
    gate: float = 0.0
    gate_limit: float = np.inf


SILENT = Noise()


@dataclass(frozen=True, slots=True)
class Ball:
    """A real value and how far from it a runtime's value may be, elementwise."""

    value: Array
    error: Array


def exact(value: Array) -> Ball:
    """Return a value that every runtime has."""
    value = np.asarray(value, dtype=np.float64)
    return Ball(value, np.zeros_like(value))


def clipped(x: Ball, low: float, high: float, slack: float = 0.0) -> Ball:
    """Clamp as the operator says; the runtime's bounds may be off by `slack`. Clamping spreads nothing."""
    return Ball(np.clip(x.value, low, high), x.error + slack)


def saturated(x: Ball, low: float, high: float) -> Ball:
    """Let a runtime's value saturate where the operator's does not."""
    beyond = np.maximum(low - x.value, 0) + np.maximum(x.value - high, 0)
    return Ball(x.value, x.error + beyond)


def matrix(weights: Array, x: Ball, noise: Noise) -> tuple[Ball, Array]:
    """Return x [B, K] times weights [N, K] transposed, and the sums of magnitudes that roundings are relative to."""
    value = x.value @ weights.T
    if noise is SILENT:
        return exact(value), np.zeros_like(value)
    size = np.abs(weights)
    largest = np.max(np.abs(x.value) + x.error, axis=1, keepdims=True, initial=0.0)
    magnitude = np.abs(x.value) @ size.T
    error = (x.error + noise.operand * largest) @ size.T
    return Ball(value, error), magnitude


@dataclass(frozen=True, slots=True)
class Gate:
    """The parameters of one gate, or of a cell without gates; None for what it lacks."""

    inputs: Array  # [N, D]
    recurrent: Array  # [N, P]
    bias: Array | None  # [N]
    peephole: Array | None = None  # [N]
    norm: Array | None = None  # [N]
    auxiliary: Array | None = None  # [N, A]


def pre_activation(gate: Gate, x: Ball, aux: Ball | None, h: Ball, cell: Ball | None, noise: Noise) -> Ball:
    """Return the weighed sum of input, auxiliary input, earlier output and (by its peephole) the cell, plus bias.

    A gate with normalization has its bias after that: (z - mean) / deviation * coefficients + bias.
    """
    operands = [(gate.inputs, x), (gate.recurrent, h)]
    if gate.auxiliary is not None and aux is not None:
        operands.append((gate.auxiliary, aux))
    parts = [matrix(weights, operand, noise) for weights, operand in operands]
    terms = 1 + sum(weights.shape[1] for weights, _ in operands)
    if gate.peephole is not None and cell is not None:
        size = np.abs(gate.peephole)
        seen = Ball(gate.peephole * cell.value, size * cell.error)
        parts.append((seen, size * np.abs(cell.value)))
        terms += 1
    bias = np.zeros(len(gate.inputs)) if gate.bias is None else gate.bias
    inner = bias if gate.norm is None else np.zeros_like(bias)
    # In integers the bias belongs to the input's part, and every part saturates before it is added.
    first = Ball(parts[0][0].value + inner, parts[0][0].error)
    balls = [saturated(b, -noise.sum_limit, noise.sum_limit) for b in (first, *(ball for ball, _ in parts[1:]))]
    magnitude = np.abs(inner) + reduce(np.add, [size for _, size in parts])
    value = reduce(np.add, [b.value for b in balls])
    error = reduce(np.add, [b.error + noise.sum + noise.relative * np.abs(b.value) for b in balls])
    total = Ball(value, error + noise.unit * (terms + 1) * magnitude)
    total = saturated(total, -noise.sum_limit, noise.sum_limit)
    return total if gate.norm is None else normalized(total, gate.norm, bias, noise)


def normalized(z: Ball, coefficients: Array, bias: Array, noise: Noise) -> Ball:
    """Bring rows to mean 0 and deviation 1, scale, add the bias.

    An error e of z moves the mean by at most the mean of e, the deviation by at most the root of the mean of e**2;
    a normalized value is sqrt(n) at most. Rounding: n + 2 operations of a mean, n / 2 + 4 of the rest.
    """
    count = z.value.shape[1]
    mean = z.value.mean(axis=1, keepdims=True)
    centred = z.value - mean
    deviation = np.sqrt((centred**2).mean(axis=1, keepdims=True) + VARIANCE_FLOOR)
    value = centred / deviation
    error = z.error + z.error.mean(axis=1, keepdims=True)
    error = error + noise.unit * (count + 2) * np.abs(z.value).mean(axis=1, keepdims=True)
    moved = np.sqrt((error**2).mean(axis=1, keepdims=True)) + _coarse(z, mean, deviation, noise)
    least = deviation - moved
    spread = (error + np.abs(value) * moved) / np.where(least > 0, least, 1.0)
    most = 2 * np.sqrt(count)
    spread = np.where(least > 0, np.minimum(spread, most), most) * (error + moved > 0) + noise.norm
    spread = spread + noise.unit * (count / 2 + 4) * np.abs(value)
    scaled = value * coefficients
    rounding = noise.unit * (2 * np.abs(scaled) + np.abs(bias)) + noise.gate
    total = Ball(scaled + bias, np.abs(coefficients) * spread + rounding)
    return saturated(total, -noise.gate_limit, noise.gate_limit)


def _coarse(z: Ball, mean: Array, deviation: Array, noise: Noise) -> Array:
    """Return how far integers are off a deviation: a whole variance, 1 / n cut to 20 bits, a mean cut to 10.

    In quanta: 1 + n / 2**20 of the mean square + |mean| / 256 of the variance; half of its share of the deviation, and
    twice that for shares up to a half.
    """
    if noise.grain <= 0:
        return np.zeros_like(mean)
    square = (z.value**2).mean(axis=1, keepdims=True) / noise.grain**2
    off = 1 + square * z.value.shape[1] / 2**20 + np.abs(mean) / noise.grain / 256
    share = off / (deviation / noise.grain) ** 2
    return np.asarray(deviation * np.where(share < 0.5, share, 2.0))


def _rising(x: Ball, function: Callable[[Array], Array], noise: Noise) -> Ball:
    """Apply a function that never falls: the ends of the ball are mapped to the ends of its image."""
    value = function(x.value)
    if noise is SILENT:
        return exact(value)
    spread = np.maximum(function(x.value + x.error) - value, value - function(x.value - x.error))
    return Ball(value, spread + noise.curve)


def _logistic(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def sigmoid(x: Ball, noise: Noise) -> Ball:
    """Return 1 / (1 + exp(-x))."""
    return _rising(x, _logistic, noise)


def curve(x: Ball, activation: str, noise: Noise) -> Ball:
    """Apply the activation of a recurrent op: TANH, a clamp or nothing."""
    return _rising(x, np.tanh, noise) if activation == "TANH" else clipped(x, *LIMITS[activation])


def product(a: Ball, b: Ball, noise: Noise) -> Ball:
    """Multiply elementwise, with one rounding."""
    value = a.value * b.value
    error = np.abs(a.value) * b.error + np.abs(b.value) * a.error + a.error * b.error
    return Ball(value, error + noise.unit * (np.abs(value) + error))


def total(a: Ball, b: Ball, noise: Noise) -> Ball:
    """Add elementwise, with one rounding."""
    value, error = a.value + b.value, a.error + b.error
    return Ball(value, error + noise.unit * (np.abs(value) + error))


def complement(a: Ball, noise: Noise) -> Ball:
    """Return 1 - a."""
    return total(exact(np.ones_like(a.value)), Ball(-a.value, a.error), noise)


def steps(x: Array, time_major: bool) -> list[Array]:
    """Cut a sequence [T, B, D] or [B, T, D] into inputs [B, D] by time."""
    return list(x if time_major else np.swapaxes(x, 0, 1))


def sequence(parts: Sequence[Ball], time_major: bool) -> Ball:
    """Join outputs [B, N] of every step into [T, B, N] or [B, T, N]."""
    axis = 0 if time_major else 1
    values, errors = ([p.value for p in parts], [p.error for p in parts])
    return Ball(np.stack(values, axis=axis), np.stack(errors, axis=axis))


def rnn(
    gate: Gate, xs: Sequence[Array], auxes: Sequence[Array] | None, h: Ball, activation: str, noise: Noise
) -> tuple[list[Ball], Ball]:
    """Run the basic recurrent cell h = act(W x + A aux + R h + b); returns every output and the last one."""
    outputs = []
    for t, x in enumerate(xs):
        aux = exact(auxes[t]) if auxes else None
        h = curve(pre_activation(gate, exact(x), aux, h, None, noise), activation, noise)
        outputs.append(h)
    return outputs, h


@dataclass(frozen=True, slots=True)
class Cell:
    """The parameters of a cell with long memory; `ingate` None couples it to the forget gate."""

    ingate: Gate | None
    forget: Gate
    update: Gate
    outgate: Gate
    projection: Array | None = None  # [P, N]
    projection_bias: Array | None = None  # [P]
    cell_clip: float = 0.0
    projection_clip: float = 0.0
    activation: str = "TANH"


def lstm_step(p: Cell, x: Ball, aux: Ball | None, h: Ball, c: Ball, noise: Noise) -> tuple[Ball, Ball]:
    """Return the new output, before a runtime's saturates, and the new cell.

    i, f, o = sigmoid(...), g = act(...); c = clip(f * c + i * g), i = 1 - f where coupled; m = o * act(c);
    h = clip(P m + b), or m without projection. Peepholes of i and f see the old cell, that of o the new one.
    Source: Sak, Senior, Beaufays, "Long Short-Term Memory Recurrent Neural Network Architectures" (2014).
    """
    f = sigmoid(pre_activation(p.forget, x, aux, h, c, noise), noise)
    if p.ingate is None:
        i = complement(f, noise)
    else:
        i = sigmoid(pre_activation(p.ingate, x, aux, h, c, noise), noise)
    g = curve(pre_activation(p.update, x, aux, h, None, noise), p.activation, noise)
    c = total(product(f, c, noise), product(i, g, noise), noise)
    c = saturated(Ball(c.value, c.error + noise.product), -noise.cell_limit, noise.cell_limit)
    if p.cell_clip > 0:
        c = clipped(c, -p.cell_clip, p.cell_clip, noise.clip)
    o = sigmoid(pre_activation(p.outgate, x, aux, h, c, noise), noise)
    m = product(o, curve(c, p.activation, noise), noise)
    if p.projection is None:
        return Ball(m.value, m.error + noise.output), c
    m = saturated(Ball(m.value, m.error + noise.hidden), *noise.hidden_limits)
    return _projected(p, p.projection, m, noise), c


def _projected(p: Cell, weights: Array, m: Ball, noise: Noise) -> Ball:
    h, magnitude = matrix(weights, m, noise)
    bias = np.zeros(len(weights)) if p.projection_bias is None else p.projection_bias
    rounding = noise.unit * (weights.shape[1] + 2) * (magnitude + np.abs(bias))
    h = Ball(h.value + bias, h.error + rounding + noise.output)
    return clipped(h, -p.projection_clip, p.projection_clip, noise.output) if p.projection_clip > 0 else h


def lstm(
    p: Cell, xs: Sequence[Array], auxes: Sequence[Array] | None, h: Ball, c: Ball, noise: Noise
) -> tuple[list[Ball], Ball, Ball]:
    """Run the cell over a sequence; returns every output, the last one and the last cell."""
    outputs = []
    for t, x in enumerate(xs):
        aux = exact(auxes[t]) if auxes else None
        y, c = lstm_step(p, exact(x), aux, h, c, noise)
        outputs.append(y)
        h = saturated(y, *noise.output_limits)
    return outputs, h, c
