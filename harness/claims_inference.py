"""Inference and native quantization: a small network whose every layer is judged by what the layer before answered.

The network is FULLY_CONNECTED with RELU, ADD of its own input, and FULLY_CONNECTED; what each gives is an output of the
model, so errors do not add up and each layer has a bound of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from opconform.harness.claims import Evidence, Subject
from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.isolate import Executor
from opconform.harness.model import DTYPES, Array, Declined, Outcome, Produced, Quant
from opconform.harness.numerics import dequantize, epsilon, integer_range, quantize
from opconform.harness.smoke import Tiny, right, say, tinies

WIDTH, CLASSES, VECTORS = 16, 8, 16
#: How far an int8 output may be from the real value in quanta: rounding takes half a one, the kernel as much.
INT8_BOUND = 1.0
#: Of the input, then of each layer's output: where ranges are used well, and RELU and ADD clamp a few values.
_QUANTS = (Quant((1 / 32,), (3,)), Quant((1 / 40,), (-128,)), Quant((1 / 20,), (-10,)), Quant((1 / 16,), (5,)))
_DECLINED = "declined"
_WEIGHT = Quant((1 / 256,), (0,))


@dataclass(frozen=True, slots=True)
class Network:
    """The network in one dtype: its model, the vectors to run, and its weights w1, b1, w2, b2 as real numbers.

    `quants` are those of the input and of each layer's output; empty for float32.
    """

    dtype: str
    model: bytes
    vectors: tuple[tuple[Array, ...], ...]
    weights: tuple[Array, ...]
    quants: tuple[Quant, ...] = ()


def check_inference(subject: Subject) -> Evidence:
    """Run the float32 network, where it is declined the int8 one, else one operator; the first answer is judged."""
    return _examined("inference", subject, (float_network(), int8_network()))


def check_native_quantization(subject: Subject) -> Evidence:
    """Run the network whose input, weights and outputs are int8, where it is declined ADD of int8; judge the answer."""
    return _examined("native_quantization", subject, (int8_network(),))


def _examined(claim: str, subject: Subject, networks: Sequence[Network]) -> Evidence:
    """Return what comes of the first model that is not declined, of the first model where all are."""
    single = [tiny for tiny in tinies() if tiny.want.dtype.name in {network.dtype for network in networks}]
    executor = subject.connect()
    try:
        first = _of_network(claim, executor, networks[0])
        rest = chain(
            (_of_network(claim, executor, network) for network in networks[1:]),
            (_of_one(claim, executor, tiny) for tiny in single),
        )
        return next((found for found in chain([first], rest) if found.measured != _DECLINED), first)
    finally:
        executor.close()


def _of_network(claim: str, executor: Executor, network: Network) -> Evidence:
    outcome = executor.execute(network.model, network.vectors)
    source = f"{VECTORS} vectors through FULLY_CONNECTED, ADD and FULLY_CONNECTED, {network.dtype} in and out"
    return _evidence(claim, outcome, misfit(outcome, network), network.dtype, source)


def _of_one(claim: str, executor: Executor, tiny: Tiny) -> Evidence:
    outcome = executor.execute(tiny.model, [tiny.vector])
    check = right(tiny.name, tiny, outcome)
    return _evidence(
        claim, outcome, "" if check.passed else check.message, tiny.name, f"a model of one operator, {tiny.name}"
    )


def _evidence(claim: str, outcome: Outcome, wrong: str, what: str, source: str) -> Evidence:
    if not wrong:
        return Evidence(claim, True, f"{what} conforms", source)
    return Evidence(claim, False, _DECLINED if isinstance(outcome, Declined) else "wrong", source, wrong)


def misfit(outcome: Outcome, network: Network) -> str:
    """Return what is wrong with how a runtime answered the network, or ""."""
    if not isinstance(outcome, Produced):
        return say(outcome)
    dtype, widths = DTYPES[network.dtype][0], (WIDTH, WIDTH, CLASSES)
    for (x,), outputs in zip(network.vectors, outcome.outputs, strict=True):
        if [(output.dtype, output.shape) for output in outputs] != [(dtype, (1, width)) for width in widths]:
            return f"outputs are {', '.join(f'{output.dtype}{list(output.shape)}' for output in outputs)}"
        for layer, error in enumerate(layer_errors(network, x, outputs), 1):
            if not error <= 1:
                return f"output {layer} is off by {error:.3g} times its bound"
    return ""


def layer_errors(network: Network, x: Array, outputs: Sequence[Array]) -> list[float]:
    """Return the largest error of each output in parts of its bound, given what the layer before answered.

    A float32 sum of n products is within (n + 2) * 2**-24 of the sum of their magnitudes in any order
    (docs/tolerances.md).
    """
    if network.quants:
        x, *outputs = (dequantize(data, quant) for data, quant in zip((x, *outputs), network.quants, strict=True))
    h, r, y = (np.asarray(output, np.float64) for output in outputs)
    want = _layers(network.weights, x, h, r)
    if not network.quants:
        sizes = _layers([np.abs(w) for w in network.weights], *(np.abs(data) for data in (x, h, r)))
        bounds = [(WIDTH + 2) * epsilon("float32") * size for size in sizes]
        return [float(np.max(np.abs(a - b) / c)) for a, b, c in zip((h, r, y), want, bounds, strict=True)]
    return [
        float(np.max(np.abs(found - _clamped(ideal, quant)))) / (INT8_BOUND * quant.scale[0])
        for found, ideal, quant in zip((h, r, y), want, network.quants[1:], strict=True)
    ]


def _clamped(real: Array, quant: Quant) -> Array:
    low, high = (dequantize(np.asarray(end), quant) for end in integer_range("int8"))
    return np.asarray(np.clip(real, low, high))


def _layers(weights: Sequence[Array], x: Array, h: Array, r: Array) -> list[Array]:
    """Return what each layer gives in float64: the first of x, the second of h and x, the third of r."""
    w1, b1, w2, b2 = (np.asarray(data, np.float64) for data in weights)
    x, h, r = (np.asarray(data, np.float64) for data in (x, h, r))
    return [np.maximum(x @ w1.T + b1, 0), h + x, r @ w2.T + b2]


def float_network() -> Network:
    """Return the network in float32."""
    weights = _weights()
    return Network("float32", _model("float32", weights, (), ()), tuple((x,) for x in _inputs()), weights)


def int8_network() -> Network:
    """Return the network in int8, with int32 biases."""
    products = [np.float32(quant.scale[0] * _WEIGHT.scale[0]) for quant in (_QUANTS[0], _QUANTS[2])]
    biases = [Quant((float(product),), (0,)) for product in products]
    quants, dtypes = (_WEIGHT, biases[0], _WEIGHT, biases[1]), ("int8", "int32", "int8", "int32")
    stored = [_stored(*one) for one in zip(_weights(), quants, dtypes, strict=True)]
    real = tuple(dequantize(data, quant) for data, quant in zip(stored, quants, strict=True))
    vectors = tuple((_stored(x, _QUANTS[0], "int8"),) for x in _inputs())
    return Network("int8", _model("int8", stored, quants, _QUANTS), vectors, real, _QUANTS)


def _stored(data: Array, quant: Quant, dtype: str) -> Array:
    return quantize(data, quant, dtype).astype(dtype)


def _weights() -> tuple[Array, ...]:
    draw = np.random.default_rng(5)
    shapes = ((WIDTH, WIDTH), (WIDTH,), (CLASSES, WIDTH), (CLASSES,))
    return tuple(draw.uniform(-0.48, 0.48, shape).astype(np.float32) for shape in shapes)


def _inputs() -> list[Array]:
    draw = np.random.default_rng(6)
    return [draw.uniform(-4, 4, (1, WIDTH)).astype(np.float32) for _ in range(VECTORS)]


def _model(dtype: str, weights: Sequence[Array], weight_quants: Sequence[Quant], quants: Sequence[Quant]) -> bytes:
    x, h, r, y = quants or (None,) * 4
    constants = zip(("w1", "b1", "w2", "b2"), weights, weight_quants or (None,) * 4, strict=True)
    w1, b1, w2, b2 = (TensorDef(name, data.dtype.name, data.shape, data, quant) for name, data, quant in constants)
    wide, narrow = (1, WIDTH), (1, CLASSES)
    tensors = (
        TensorDef("x", dtype, wide, quant=x), w1, b1, TensorDef("h", dtype, wide, quant=h),
        TensorDef("r", dtype, wide, quant=r), w2, b2, TensorDef("y", dtype, narrow, quant=y),
    )  # fmt: skip
    nodes = (
        Node("FULLY_CONNECTED", (0, 1, 2), (3,), {"activation": "RELU"}),
        Node("ADD", (3, 0), (4,)),
        Node("FULLY_CONNECTED", (4, 5, 6), (7,)),
    )
    return write_model([Graph(tensors, nodes, (0,), (3, 4, 7))])
