"""Vector loops against the portable ones on the same board: the same bits, whatever the shapes.

What the portable loops compute is held against the twins by the conformance rows.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import pytest

from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.isolate import Executor, Isolated, connect
from opconform.harness.model import Array, Produced, Quant
from opconform.harness.registry import resolve
from opconform.targets import build
from opconform.targets.boards import load_target
from opconform.targets.launcher import Board, Options

pytestmark = pytest.mark.skipif(
    shutil.which("qemu-system-arm") is None or shutil.which("arm-none-eabi-gcc") is None,
    reason="there is no QEMU or no compiler for boards",
)

#: One of each kind of loop: long products, and Helium.
BOARDS = ("cortex-m4", "cortex-m55")


@dataclass(frozen=True)
class Layer:
    """One convolution: shapes, and how the window moves."""

    x: tuple[int, int, int, int]
    outputs: int
    window: tuple[int, int]
    stride: int = 1
    dilation: int = 1
    padding: str = "SAME"
    groups: int = 1
    depthwise: bool = False
    activation: str = "NONE"
    factor: float = 0.01  # of the rescaling, in the middle


LAYERS = (
    Layer((1, 4, 5, 8), 8, (1, 1)),
    Layer((2, 3, 5, 7), 5, (1, 1), stride=2),
    Layer((1, 3, 3, 300), 6, (1, 1)),  # longer than a block of any loop
    Layer((1, 7, 6, 3), 9, (3, 3), stride=2, activation="RELU6"),
    Layer((1, 7, 9, 16), 4, (3, 3)),  # read in place inside, copied at the edges
    Layer((1, 7, 9, 20), 6, (3, 2), padding="VALID", dilation=2),
    Layer((2, 9, 4, 5), 3, (5, 4), dilation=2),
    Layer((1, 6, 6, 8), 12, (3, 3), groups=2),
    Layer((1, 5, 5, 12), 4, (3, 3), factor=0.6),  # no quick factors
    Layer((1, 5, 5, 12), 4, (3, 3), factor=1e-9),
    Layer((1, 9, 8, 2), 16, (4, 3), stride=2, depthwise=True),  # depth multiplier 8
    Layer((1, 12, 10, 1), 8, (10, 8), stride=2, depthwise=True),
    Layer((1, 6, 7, 13), 13, (3, 3), depthwise=True),
    Layer((2, 9, 6, 8), 8, (3, 3), stride=2, depthwise=True, activation="RELU"),
    Layer((1, 11, 5, 9), 9, (5, 3), dilation=2, depthwise=True),
    Layer((1, 20, 1, 17), 17, (15, 1), padding="VALID", depthwise=True),
    Layer((1, 3, 40, 2), 2, (1, 33), depthwise=True),  # more taps than a sum takes
    Layer((1, 5, 5, 10), 10, (3, 3), depthwise=True, factor=0.9),
)


def extent(size: int, window: int, layer: Layer) -> int:
    span = (window - 1) * layer.dilation + 1
    room = size if layer.padding == "SAME" else size - span + 1
    return -(-room // layer.stride)


def model_of(layer: Layer, seed: int) -> bytes:
    """Weights over the whole range of int8, factors over three octaves around the layer's."""
    rng = np.random.default_rng(seed)
    batch, height, width, channels = layer.x
    axis = 3 if layer.depthwise else 0
    shape = (
        (1, *layer.window, layer.outputs)
        if layer.depthwise
        else (layer.outputs, *layer.window, channels // layer.groups)
    )
    out = (batch, extent(height, layer.window[0], layer), extent(width, layer.window[1], layer), layer.outputs)
    scales = tuple(float(np.float32(layer.factor * 2.0 ** rng.uniform(-1.5, 1.5))) for _ in range(layer.outputs))
    bias = rng.integers(-3000, 3000, layer.outputs, dtype=np.int32)
    tensors = (
        TensorDef("x", "int8", layer.x, quant=Quant((1.0,), (int(rng.integers(-128, 128)),))),
        TensorDef(
            "w",
            "int8",
            shape,
            rng.integers(-128, 128, shape).astype(np.int8),
            Quant(scales, (0,) * layer.outputs, axis),
        ),
        TensorDef("b", "int32", (layer.outputs,), bias, Quant(scales, (0,) * layer.outputs, 0)),
        TensorDef("y", "int8", out, quant=Quant((1.0,), (int(rng.integers(-128, 128)),))),
    )
    options = {
        "padding": layer.padding, "stride_h": layer.stride, "stride_w": layer.stride,
        "dilation_h": layer.dilation, "dilation_w": layer.dilation, "activation": layer.activation,
    }  # fmt: skip
    if layer.depthwise:
        options["depth_multiplier"] = layer.outputs // channels
    op = "DEPTHWISE_CONV_2D" if layer.depthwise else "CONV_2D"
    return write_model([Graph(tensors, (Node(op, (0, 1, 2), (3,), options),), (0,), (3,))])


def inputs_of(layer: Layer, seed: int) -> list[list[Array]]:
    rng = np.random.default_rng(seed)
    return [[rng.integers(-128, 128, layer.x).astype(np.int8)], [np.full(layer.x, -128, np.int8)]]


def outputs_of(executor: Executor, model: bytes, vectors: Sequence[Sequence[Array]]) -> list[list[int]]:
    outcome = executor.execute(model, vectors)
    assert isinstance(outcome, Produced), outcome
    return [y.ravel().tolist() for (y,) in outcome.outputs]


@pytest.fixture(scope="module", params=BOARDS)
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Executor, Executor]]:
    """A board as it is, and the same board with the portable loops."""
    target = load_target(request.param)
    portable = build.build_worker(replace(target, flags=(*target.flags, "-DOPC_PORTABLE")))
    assert portable.elf.read_bytes() != build.build_worker(target).elf.read_bytes()
    slow = Isolated(Board(request.param, Options(image=portable)))
    with closing(connect(resolve(f"micro@{request.param}"))) as fast, closing(slow) as plain:
        yield fast, plain


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_the_loops_of_a_board_give_the_bits_of_the_portable_ones(pair: tuple[Executor, Executor], layer: Layer) -> None:
    fast, plain = pair
    for seed in range(3):
        model, vectors = model_of(layer, seed), inputs_of(layer, seed)
        assert outputs_of(fast, model, vectors) == outputs_of(plain, model, vectors)
