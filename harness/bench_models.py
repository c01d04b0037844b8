"""Models that figures are measured with; their numbers do not matter, their form does."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.model import Array, Quant

#: Units of the layers of the well-known hello_world model: a sine from two hidden layers.
HELLO_UNITS = (1, 16, 16, 1)


def one_op_model() -> tuple[bytes, tuple[Array, ...]]:
    """Return ADD of two float32 tensors of shape [1, 16], and its inputs."""
    tensors = tuple(TensorDef(name, "float32", (1, 16)) for name in ("a", "b", "y"))
    graph = Graph(tensors, (Node("ADD", (0, 1), (2,), {"activation": "NONE"}),), (0, 1), (2,))
    values = np.linspace(-1, 1, 16, dtype=np.float32).reshape(1, 16)
    return write_model([graph]), (values, values[:, ::-1].copy())


def hello_model() -> bytes:
    """Return an int8 model of the form of hello_world: three FULLY_CONNECTED layers of 16, 16 and 1 units."""
    activations = [
        TensorDef(f"layer{n}", "int8", (1, units), quant=Quant((0.05,), (0,))) for n, units in enumerate(HELLO_UNITS)
    ]
    constants: list[TensorDef] = []
    nodes: list[Node] = []
    for number, (depth, units) in enumerate(pairwise(HELLO_UNITS)):
        at = len(activations) + len(constants)
        constants += _dense(number, depth, units)
        relu = "RELU" if number < len(HELLO_UNITS) - 2 else "NONE"
        nodes.append(Node("FULLY_CONNECTED", (number, at, at + 1), (number + 1,), {"activation": relu}))
    graph = Graph((*activations, *constants), tuple(nodes), (0,), (len(activations) - 1,))
    return write_model([graph], "hello_world")


def _dense(number: int, depth: int, units: int) -> list[TensorDef]:
    weights = np.random.Generator(np.random.Philox(number)).integers(-127, 128, (units, depth))
    return [
        TensorDef(f"weights{number}", "int8", (units, depth), weights, Quant((0.01,), (0,))),
        TensorDef(f"bias{number}", "int32", (units,), np.zeros(units), Quant((0.0005,), (0,))),
    ]
