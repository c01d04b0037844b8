"""Builders of small models for the tests of lite."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model

OneOp = Callable[..., bytes]


@pytest.fixture(scope="session")
def one_op() -> OneOp:
    """Return a function that writes a model of one operator; tensors without data are its inputs."""

    def write(
        op: str, inputs: list[TensorDef], outputs: list[TensorDef], options: Mapping[str, Any] | None = None
    ) -> bytes:
        fed = tuple(i for i, tensor in enumerate(inputs) if tensor.data is None and not tensor.variable)
        slots = tuple(range(len(inputs)))
        made = tuple(range(len(inputs), len(inputs) + len(outputs)))
        return write_model([Graph((*inputs, *outputs), (Node(op, slots, made, options or {}),), fed, made)])

    return write
