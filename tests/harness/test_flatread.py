"""The reader of models gives what the writer was told, and shows inner tensors as outputs."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opconform.harness import schema
from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.flatread import ModelError, read_model
from opconform.harness.model import Quant, Sparsity

MODELS = Path(__file__).parents[2] / "specs" / "models"
#: What an option of a kind may hold beside its default.
OTHER: dict[str, Any] = {
    "bool": True, "int8": 3, "int32": 7, "int64": 1 << 40, "float32": 0.25, "dtype": "int8", "string": "name",
    "int32s": (2, -1, 5), "float32s": (0.5, 2.0), "subgraph": 2,
}  # fmt: skip


def other(field: schema.Field) -> Any:
    kind, _, enum = field.kind.partition(":")
    return schema.ENUMS[enum][-1] if enum else OTHER[kind]


def one_op(op: str, options: dict[str, Any]) -> bytes:
    tensors = (TensorDef("x", "float32", (2,)), TensorDef("y", "float32", (2,)))
    return write_model([Graph(tensors, (Node(op, (0,), (1,), options),), (0,), (1,))])


@pytest.mark.parametrize("op", [op for op, (_, table) in schema.OPS.items() if table])
def test_options_are_read_as_they_were_written(op: str) -> None:
    fields = schema.OPTIONS[schema.OPS[op][1]].fields
    options = {name: other(field) for name, field in fields.items()}
    assert read_model(one_op(op, options), "it").operations[0].options == options


def test_options_that_are_not_stored_have_their_defaults() -> None:
    read = read_model(one_op("CONV_2D", {"stride_w": 3}), "it").operations[0].options
    assert (read["stride_w"], read["dilation_w"], read["padding"], read["activation"]) == (3, 1, "SAME", "NONE")


@pytest.mark.parametrize("dtype", ["float32", "int8", "int16", "int32", "int64", "bool", "float16", "bfloat16"])
def test_constants_are_read_in_their_dtype_and_shape(dtype: str) -> None:
    stored = TensorDef("c", dtype, (2, 3), np.arange(6).reshape(2, 3))
    tensors = (TensorDef("x", dtype, (2, 3)), stored, TensorDef("y", dtype, (2, 3)))
    view = read_model(write_model([Graph(tensors, (Node("ADD", (0, 1), (2,)),), (0,), (2,))]), "it")
    assert list(view.constants) == [1]
    assert view.tensors[1].dtype == dtype
    wanted = np.arange(6).reshape(2, 3)
    np.testing.assert_array_equal(view.constants[1], wanted.astype(bool) if dtype == "bool" else wanted)


def test_weights_of_four_bits_are_read_one_by_one() -> None:
    numbers = np.array([[-8, 7, 3], [-1, 0, 5]], np.int8)
    tensors = (TensorDef("x", "int8", (1, 3), quant=Quant((1.0,), (0,))), TensorDef("w", "int4", (2, 3), numbers))
    graph = Graph((*tensors, TensorDef("y", "int8", (1, 2))), (Node("FULLY_CONNECTED", (0, 1), (2,)),), (0,), (2,))
    np.testing.assert_array_equal(read_model(write_model([graph]), "it").constants[1], numbers)


def test_a_sparse_constant_is_no_constant_in_full() -> None:
    zeros = np.diag(np.arange(1, 4)).astype(np.float32)
    rows = Sparsity((0, 1), (False, True))
    tensors = (TensorDef("x", "float32", (3, 3), zeros, sparsity=rows), TensorDef("y", "float32", (3, 3)))
    view = read_model(write_model([Graph(tensors, (Node("DENSIFY", (0,), (1,)),), (), (1,))]), "it")
    assert 0 not in view.constants


def test_operands_variables_and_absent_inputs_are_told_apart() -> None:
    tensors = (TensorDef("x", "float32", (1, 3)), TensorDef("s", "float32", (1, 3), variable=True),
               TensorDef("y", "float32", (1, 3)))  # fmt: skip
    view = read_model(write_model([Graph(tensors, (Node("SVDF", (0, -1, 1), (2,)),), (0,), (2,))]), "it")
    assert view.operations[0].inputs == (0, -1, 1)
    assert view.variables == {1}


def test_other_tensors_become_outputs_and_nothing_else_changes() -> None:
    view = read_model((MODELS / "digits_conv_int8.tflite").read_bytes(), "digits")
    inner = tuple(o.outputs[0] for o in view.operations)
    exposed = read_model(view.exposing(inner), "exposed")
    assert exposed.outputs == inner
    assert (exposed.operations, exposed.tensors, exposed.inputs) == (view.operations, view.tensors, view.inputs)
    assert read_model(exposed.exposing(view.outputs), "back").outputs == view.outputs


def test_an_operator_that_names_a_tensor_that_is_not_there_is_refused() -> None:
    tensors = (TensorDef("x", "float32", (2,)), TensorDef("y", "float32", (2,)))
    with pytest.raises(ModelError, match="operator 0 names tensor 9 of 2"):
        read_model(write_model([Graph(tensors, (Node("ABS", (9,), (1,)),), (0,), (1,))]), "it")


def test_no_damage_of_a_byte_makes_the_reader_fail_but_by_refusing() -> None:
    data = (MODELS / "digits_int8.tflite").read_bytes()
    rng = np.random.default_rng(0)
    for position in rng.integers(8, len(data), 400):
        damaged = bytearray(data)
        damaged[position] ^= int(rng.integers(1, 256))
        with contextlib.suppress(ModelError):
            read_model(bytes(damaged), "it")
