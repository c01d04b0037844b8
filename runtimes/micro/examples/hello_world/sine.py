"""The model of hello_world: a sine by three dense layers, fitted, quantized to int8 and written here.

`python sine.py FILE.tflite` writes the model and prints its largest error. One vector in: an angle from 0 to 2 pi in
steps of 2 pi / 255, zero point -128; one out: its sine in steps of 1 / 120, zero point 0. NumPy alone is needed.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.model import Array, Quant
from opconform.harness.numerics import quantize

UNITS = (1, 16, 16, 1)
STEPS = 6000
RATE, LAST_RATE = 1e-2, 1e-4
#: Decay of the two moments of Adam (Kingma and Ba 2015, algorithm 1), and what keeps its quotient finite.
DECAY_1, DECAY_2, EPSILON = 0.9, 0.999, 1e-8
#: A scale keeps so many significant bits, so that the last bits of a machine's arithmetic do not reach the file.
SCALE_BITS = 10
INPUT = Quant((2 * math.pi / 255,), (-128,))
OUTPUT = Quant((1 / 120,), (0,))

Layers = Sequence[tuple[Array, Array]]


@dataclass(frozen=True, slots=True)
class Step:
    """A gradient and the parameter that it belongs to, both changed in place by `descend`."""

    value: Array
    first: Array
    second: Array


def angles(count: int) -> Array:
    """Return float64 angles from 0 to 2 pi, shape [count, 1]."""
    return np.linspace(0, 2 * math.pi, count).reshape(-1, 1)


def fitted() -> list[tuple[Array, Array]]:
    """Return weights [units, depth] and biases [units] of each layer, float64, fitted by Adam to 256 angles."""
    random = np.random.Generator(np.random.Philox(4))
    layers = [(random.normal(0, math.sqrt(2 / n), (m, n)), np.zeros(m)) for n, m in pairwise(UNITS)]
    layers[0][1][:] = -layers[0][0][:, 0] * random.uniform(0, 2 * math.pi, UNITS[1])  # each unit bends at its angle
    steps = [Step(part, np.zeros_like(part), np.zeros_like(part)) for layer in layers for part in layer]
    x = angles(256)
    target = np.sin(x)
    for number in range(1, STEPS + 1):
        rate = RATE * (LAST_RATE / RATE) ** (number / STEPS)
        for step, gradient in zip(steps, _gradients(layers, x, target), strict=True):
            _descend(step, gradient, number, rate)
    return layers


def outputs(layers: Layers, x: Array) -> list[Array]:
    """Return the input and what every layer gives, RELU after all but the last: float64, [n, units]."""
    found = [x]
    for number, (weights, bias) in enumerate(layers):
        sums = found[-1] @ weights.T + bias
        found.append(np.maximum(sums, 0) if number < len(layers) - 1 else sums)
    return found


def _gradients(layers: Layers, x: Array, target: Array) -> list[Array]:
    """Return the gradients of the mean squared error, layer by layer: of weights, of biases."""
    found = outputs(layers, x)
    flow, gradients = 2 * (found[-1] - target) / len(x), []
    for number in reversed(range(len(layers))):
        gradients += [flow.sum(0), flow.T @ found[number]]
        flow = flow @ layers[number][0] * (found[number] > 0)
    return gradients[::-1]


def _descend(step: Step, gradient: Array, number: int, rate: float) -> None:
    step.first[:] = DECAY_1 * step.first + (1 - DECAY_1) * gradient
    step.second[:] = DECAY_2 * step.second + (1 - DECAY_2) * gradient**2
    mean, square = step.first / (1 - DECAY_1**number), step.second / (1 - DECAY_2**number)
    step.value[:] -= rate * mean / (np.sqrt(square) + EPSILON)


def rounded(scale: float) -> float:
    """Return the scale with SCALE_BITS significant bits, rounded up."""
    mantissa, exponent = math.frexp(scale)
    return math.ldexp(math.ceil(mantissa * 2**SCALE_BITS) / 2**SCALE_BITS, exponent)


def quantized(layers: Layers) -> bytes:
    """Return the int8 model: weights symmetric per tensor, biases int32, activations by what `angles` give."""
    values = outputs(layers, angles(1001))
    inner = [Quant((rounded(float(part.max()) / 255),), (-128,)) for part in values[1:-1]]
    quants = [INPUT, *inner, OUTPUT]
    tensors = [TensorDef(f"layer{n}", "int8", (1, UNITS[n]), quant=quant) for n, quant in enumerate(quants)]
    nodes = []
    for number, (weights, bias) in enumerate(layers):
        nodes.append(Node("FULLY_CONNECTED", (number, len(tensors), len(tensors) + 1), (number + 1,), _options(number)))
        tensors += _constants(number, weights, bias, quants[number])
    return write_model([Graph(tuple(tensors), tuple(nodes), (0,), (len(UNITS) - 1,))], "hello_world")


def _options(number: int) -> dict[str, object]:
    return {"activation": "RELU" if number < len(UNITS) - 2 else "NONE"}


def _constants(number: int, weights: Array, bias: Array, before: Quant) -> list[TensorDef]:
    scale = Quant((rounded(float(np.abs(weights).max()) / 127),), (0,))
    both = Quant((before.scale[0] * scale.scale[0],), (0,))
    return [
        TensorDef(f"weights{number}", "int8", weights.shape, quantize(weights, scale, "int8"), scale),
        TensorDef(f"bias{number}", "int32", bias.shape, quantize(bias, both, "int32"), both),
    ]


def main(arguments: Sequence[str], make: Callable[[], list[tuple[Array, Array]]] = fitted) -> int:
    """Write the model; 2 for wrong arguments."""
    if len(arguments) != 1:
        print("usage: python sine.py FILE.tflite", file=sys.stderr)
        return 2
    layers = make()
    x = angles(1001)
    Path(arguments[0]).write_bytes(quantized(layers))
    print(f"{arguments[0]}: largest error {np.abs(outputs(layers, x)[-1] - np.sin(x)).max():.4f} before quantization")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
