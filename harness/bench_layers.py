"""Models of single layers, as they occur in MobileNet, ResNet and small models for microcontrollers, to be timed.

Their numbers are random; their shapes are what matters, remainders of every vector width among them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.model import Array, Quant, Shape

X_SCALE, W_SCALE = 0.05, 0.01


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer to time: `weights` and `stride` of a convolution, `other` input of ADD, axes of MEAN."""

    op: str
    dtype: str
    x: Shape
    weights: Shape = ()
    stride: int = 1
    other: Shape = ()
    axes: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """Return one word per fact."""
        extents = ["x".join(map(str, shape)) for shape in (self.x, self.weights, self.other, self.axes) if shape]
        step = [f"s{self.stride}"] if self.stride > 1 else []
        return " ".join([self.op, self.dtype, *extents, *step])


_CONVOLUTIONS = (
    ((1, 224, 224, 3), (32, 3, 3, 3), 2),  # MobileNet v1, first layer
    ((1, 112, 112, 32), (64, 1, 1, 32), 1),
    ((1, 28, 28, 256), (256, 1, 1, 256), 1),
    ((1, 7, 7, 1024), (1024, 1, 1, 1024), 1),
    ((1, 56, 56, 144), (24, 1, 1, 144), 1),  # MobileNet v2, projection
    ((1, 14, 14, 96), (576, 1, 1, 96), 1),
    ((1, 56, 56, 64), (64, 3, 3, 64), 1),  # ResNet
    ((1, 28, 28, 128), (128, 3, 3, 128), 1),
    ((1, 56, 56, 128), (128, 3, 3, 128), 2),
    ((1, 7, 7, 512), (512, 3, 3, 512), 1),
    ((1, 49, 10, 1), (64, 10, 4, 1), 2),  # keyword spotting
    ((1, 32, 32, 16), (16, 3, 3, 16), 1),  # ResNet of CIFAR-10
    ((1, 96, 96, 3), (8, 3, 3, 3), 2),  # visual wake words
    ((1, 48, 48, 8), (16, 1, 1, 8), 1),
    ((1, 13, 11, 17), (29, 3, 3, 17), 1),  # nothing fits
)
_DEPTHWISE = (
    ((1, 112, 112, 32), (1, 3, 3, 32), 1),
    ((1, 112, 112, 64), (1, 3, 3, 64), 2),
    ((1, 28, 28, 256), (1, 3, 3, 256), 1),
    ((1, 14, 14, 512), (1, 3, 3, 512), 1),
    ((1, 7, 7, 1024), (1, 3, 3, 1024), 1),
    ((1, 14, 14, 240), (1, 5, 5, 240), 2),
    ((1, 48, 48, 8), (1, 3, 3, 8), 1),
    ((1, 25, 5, 64), (1, 3, 3, 64), 1),
    ((1, 49, 40, 1), (1, 10, 8, 8), 2),  # micro_speech: eight filters on one channel
    ((1, 13, 11, 37), (1, 3, 3, 37), 1),
)
_DENSE = (
    ((1, 1024), (1001, 1024)),
    ((1, 2048), (1000, 2048)),
    ((1, 640), (128, 640)),
    ((1, 64), (12, 64)),
    ((64, 256), (256, 256)),
    ((256, 512), (512, 512)),
    ((7, 77), (33, 77)),
)
_SOFTMAX: tuple[Shape, ...] = ((1, 1001), (256, 1000), (64, 10), (12, 64, 64), (1, 12))
_MEAN: tuple[Shape, ...] = ((1, 7, 7, 1024), (1, 7, 7, 1280), (1, 56, 56, 144), (1, 8, 8, 64), (1, 13, 11, 37))
_ADD: tuple[tuple[Shape, Shape], ...] = (
    ((1, 56, 56, 64), (64,)),
    ((1, 28, 28, 128), (1, 28, 28, 128)),
    ((1, 28, 28, 128), (1, 1, 1, 128)),
    ((256, 1000), (256, 1)),
    ((12, 64, 64), (12, 1, 64)),
    ((1, 13, 11, 37), (37,)),
)
_UNARY: tuple[Shape, ...] = ((1, 65536), (1, 56, 56, 64), (1, 1000), (1, 333))


def layers() -> Iterator[Layer]:
    """Return the layers whose kernels are timed."""
    for dtype in ("float32", "int8"):
        yield from (Layer("CONV_2D", dtype, x, w, stride) for x, w, stride in _CONVOLUTIONS)
        yield from (Layer("DEPTHWISE_CONV_2D", dtype, x, w, stride) for x, w, stride in _DEPTHWISE)
        yield from (Layer("FULLY_CONNECTED", dtype, x, w) for x, w in _DENSE)
    yield from (Layer("SOFTMAX", "float32", x) for x in _SOFTMAX)
    yield from (Layer("MEAN", "float32", x, axes=(1, 2)) for x in _MEAN)
    yield from (Layer("ADD", "float32", x, other=other) for x, other in _ADD)
    yield from (Layer(op, "float32", x) for op in ("TANH", "EXP") for x in _UNARY)


_WINDOW = {"padding": "SAME", "dilation_h": 1, "dilation_w": 1, "activation": "RELU"}


def _output(layer: Layer) -> Shape:
    if layer.op == "MEAN":
        return tuple(1 if axis in layer.axes else extent for axis, extent in enumerate(layer.x))
    if layer.op == "ADD":
        return tuple(np.broadcast_shapes(layer.x, layer.other))
    if layer.op == "FULLY_CONNECTED":
        return (*layer.x[:-1], layer.weights[0])
    if layer.weights:
        batch, height, width, _ = layer.x
        outputs = layer.weights[3 if layer.op == "DEPTHWISE_CONV_2D" else 0]
        return (batch, -(-height // layer.stride), -(-width // layer.stride), outputs)
    return layer.x


def _options(layer: Layer) -> dict[str, object]:
    match layer.op:
        case "CONV_2D":
            return {**_WINDOW, "stride_h": layer.stride, "stride_w": layer.stride}
        case "DEPTHWISE_CONV_2D":
            multiplier = layer.weights[3] // layer.x[3]
            return {**_WINDOW, "stride_h": layer.stride, "stride_w": layer.stride, "depth_multiplier": multiplier}
        case "FULLY_CONNECTED":
            return {"activation": "NONE", "keep_num_dims": True}
        case "MEAN":
            return {"keep_dims": True}
        case "SOFTMAX":
            return {"beta": 1.0}
        case "ADD":
            return {"activation": "NONE"}
        case _:
            return {}


def weights(
    shape: Shape, axis: int, depth: int, dtype: str, random: np.random.Generator, scale: float = W_SCALE
) -> list[TensorDef]:
    """Return random weights, symmetric per channel where quantized, and a bias for them."""
    outputs = shape[axis]
    if dtype == "float32":
        values = random.standard_normal(shape, np.float32) / math.sqrt(depth)
        return [TensorDef("w", dtype, shape, values), TensorDef("b", dtype, (outputs,), random.random(outputs))]
    scales = tuple(scale * (1 + 0.1 * (n % 7)) for n in range(outputs))
    steps = random.integers(-127, 128, shape)
    bias_quant = Quant(tuple(X_SCALE * step for step in scales), (0,) * outputs, 0)
    return [
        TensorDef("w", "int8", shape, steps, Quant(scales, (0,) * outputs, axis)),
        TensorDef("b", "int32", (outputs,), random.integers(-3000, 3000, outputs), bias_quant),
    ]


def layer_model(layer: Layer) -> tuple[bytes, tuple[Array, ...]]:
    """Return the model of one layer and random inputs for it."""
    random = np.random.Generator(np.random.Philox(1))
    quant = Quant((X_SCALE,), (3,)) if layer.dtype == "int8" else None
    tensors, fed = [TensorDef("x", layer.dtype, layer.x, quant=quant)], [layer.x]
    depth = 1
    if layer.weights:
        axis = 3 if layer.op == "DEPTHWISE_CONV_2D" else 0
        depth = math.prod(layer.weights) // layer.weights[axis]
        tensors += weights(layer.weights, axis, depth, layer.dtype, random)
    if layer.other:
        tensors.append(TensorDef("other", layer.dtype, layer.other))
        fed.append(layer.other)
    if layer.axes:
        tensors.append(TensorDef("axes", "int32", (len(layer.axes),), np.array(layer.axes)))
    result = Quant((X_SCALE * W_SCALE * 100 * math.sqrt(depth),), (-5,)) if quant else None
    tensors.append(TensorDef("y", layer.dtype, _output(layer), quant=result))
    inputs = tuple(i for i, tensor in enumerate(tensors[:-1]) if tensor.data is None)
    node = Node(layer.op, tuple(range(len(tensors) - 1)), (len(tensors) - 1,), _options(layer))
    graph = Graph(tuple(tensors), (node,), inputs, (len(tensors) - 1,))
    return write_model([graph]), values_for(fed, layer.dtype, random)


def values_for(shapes: Sequence[Shape], dtype: str, random: np.random.Generator) -> tuple[Array, ...]:
    """Return random inputs: normal ones for float32, the whole range for int8."""
    if dtype == "float32":
        return tuple(random.standard_normal(shape, np.float32) for shape in shapes)
    return tuple(random.integers(-128, 128, shape).astype(np.int8) for shape in shapes)
