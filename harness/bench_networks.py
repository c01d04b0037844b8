"""Whole networks with random weights, in the form of MobileNet v1, MobileNet v2 and ResNet-18, to be timed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from opconform.harness.bench_layers import X_SCALE, weights
from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.model import Quant, Shape

#: Of activations: around -3 to 9, wide enough for RELU6.
_ZERO = -64
_CLASSES = 1000


@dataclass(slots=True)
class Network:
    """A graph that grows at its end: layers are appended to tensors, which are named by their number."""

    dtype: str
    tensors: list[TensorDef] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    random: np.random.Generator = field(default_factory=lambda: np.random.Generator(np.random.Philox(7)))

    def tensor(self, shape: Shape) -> int:
        """Add an activation."""
        quant = Quant((X_SCALE,), (_ZERO,)) if self.dtype == "int8" else None
        self.tensors.append(TensorDef(f"t{len(self.tensors)}", self.dtype, shape, quant=quant))
        return len(self.tensors) - 1

    def shape(self, tensor: int) -> Shape:
        """Return the extents of a tensor."""
        return self.tensors[tensor].shape

    def node(self, op: str, inputs: tuple[int, ...], shape: Shape, **options: object) -> int:
        out = self.tensor(shape)
        self.nodes.append(Node(op, inputs, (out,), options))
        return out

    def _weights(self, shape: Shape, axis: int) -> tuple[int, int]:
        depth = math.prod(shape) // shape[axis]
        # sums of `depth` random products stay as large as the inputs
        scale = 1 / (74 * math.sqrt(depth))
        self.tensors += weights(shape, axis, depth, self.dtype, self.random, scale)
        return len(self.tensors) - 2, len(self.tensors) - 1

    def conv(self, x: int, outputs: int, size: int = 1, stride: int = 1, activation: str = "RELU6") -> int:
        """Append a convolution, or a depthwise one for outputs of 0."""
        batch, height, width, channels = self.shape(x)
        op, axis, shape = "CONV_2D", 0, (outputs, size, size, channels)
        if outputs == 0:
            op, axis, shape, outputs = "DEPTHWISE_CONV_2D", 3, (1, size, size, channels), channels
        result = (batch, -(-height // stride), -(-width // stride), outputs)
        options: dict[str, object] = {"depth_multiplier": 1} if axis else {}
        options |= {"padding": "SAME", "stride_h": stride, "stride_w": stride, "dilation_h": 1, "dilation_w": 1}
        return self.node(op, (x, *self._weights(shape, axis)), result, activation=activation, **options)

    def add(self, x: int, y: int, activation: str) -> int:
        """Append a sum of two tensors of one shape."""
        return self.node("ADD", (x, y), self.shape(x), activation=activation)

    def classify(self, x: int) -> int:
        """Append the mean over an image and a dense layer, in float32 with SOFTMAX."""
        batch, _, _, channels = self.shape(x)
        self.tensors.append(TensorDef("axes", "int32", (2,), np.array([1, 2])))
        mean = self.node("MEAN", (x, len(self.tensors) - 1), (batch, channels), keep_dims=False)
        constants = self._weights((_CLASSES, channels), 0)
        dense = self.node("FULLY_CONNECTED", (mean, *constants), (batch, _CLASSES), activation="NONE")
        if self.dtype == "int8":
            return dense
        return self.node("SOFTMAX", (dense,), (batch, _CLASSES), beta=1.0)

    def written(self) -> bytes:
        """Return the file; the first tensor is the input, the last node's the output."""
        return write_model([Graph(tuple(self.tensors), tuple(self.nodes), (0,), self.nodes[-1].outputs)])


def mobilenet_v1(dtype: str, size: int = 224, width: float = 1.0) -> bytes:
    """Return MobileNet v1: thirteen pairs of a depthwise and a pointwise convolution."""
    net = Network(dtype)
    x = net.conv(net.tensor((1, size, size, 3)), int(32 * width), 3, 2)
    steps = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
    for outputs, stride in steps:
        x = net.conv(net.conv(x, 0, 3, stride), int(outputs * width))
    net.classify(x)
    return net.written()


def mobilenet_v2(dtype: str, size: int = 224) -> bytes:
    """Return MobileNet v2: blocks that widen, filter and narrow, with shortcuts."""
    net = Network(dtype)
    x = net.conv(net.tensor((1, size, size, 3)), 32, 3, 2)
    groups = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for factor, outputs, count, first in groups:
        for n in range(count):
            stride, inputs = first if n == 0 else 1, net.shape(x)[3]
            wide = net.conv(x, factor * inputs) if factor > 1 else x
            narrow = net.conv(net.conv(wide, 0, 3, stride), outputs, activation="NONE")
            x = net.add(x, narrow, "NONE") if stride == 1 and inputs == outputs else narrow
    net.classify(net.conv(x, 1280))
    return net.written()


def resnet18(dtype: str, size: int = 224) -> bytes:
    """Return ResNet-18 with a strided convolution in place of its pool."""
    net = Network(dtype)
    x = net.conv(net.conv(net.tensor((1, size, size, 3)), 64, 7, 2, "RELU"), 64, 3, 2, "RELU")
    for outputs, first in ((64, 1), (128, 2), (256, 2), (512, 2)):
        for stride in (first, 1):
            inner = net.conv(net.conv(x, outputs, 3, stride, "RELU"), outputs, 3, 1, "NONE")
            straight = x if stride == 1 else net.conv(x, outputs, 1, stride, "NONE")
            x = net.add(inner, straight, "RELU")
    net.classify(x)
    return net.written()


#: Name -> what writes the network.
NETWORKS: Mapping[str, Callable[[], bytes]] = {
    f"{name} {dtype}": lambda write=write, dtype=dtype: write(dtype)  # type: ignore[misc]
    for name, write in (
        ("mobilenet_v1_224", mobilenet_v1),
        ("mobilenet_v1_96_0.25", lambda dtype: mobilenet_v1(dtype, 96, 0.25)),
        ("mobilenet_v2_224", mobilenet_v2),
        ("resnet18_224", resnet18),
    )
    for dtype in ("float32", "int8")
}
