"""The adapter of TensorFlow Lite Micro; skipped where the extra `tflm` is not installed."""

import numpy as np
import pytest

from opconform.harness import registry
from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.runtime import InvalidModel, Unsupported
from opconform.runtimes.tflm import TFLM

pytest.importorskip("tflite_micro")


def model(op: str, dtype: str, inputs: int, outputs: int = 1, code: int | None = None) -> bytes:
    tensors = tuple(TensorDef(f"t{index}", dtype, (2, 3)) for index in range(inputs + outputs))
    into, out = tuple(range(inputs)), tuple(range(inputs, inputs + outputs))
    return write_model([Graph(tensors, (Node(op, into, out, {}, code=code),), into, out)])


def test_it_adds_and_the_outputs_are_copies() -> None:
    session = TFLM().open(model("ADD", "float32", 2))
    ones = np.ones((2, 3), np.float32)
    first = session.run([ones, ones])[0]
    session.run([ones * 0, ones * 0])
    assert np.array_equal(first, ones * 2)


def test_an_op_that_it_lacks_is_unsupported_in_its_own_words() -> None:
    with pytest.raises(Unsupported, match="Didn't find op for builtin opcode 'WHERE'"):
        TFLM().open(model("WHERE", "bool", 1))


def test_a_model_that_a_kernel_refuses_is_invalid_in_the_kernels_words() -> None:
    with pytest.raises(InvalidModel, match=r"Node ADD .* failed to prepare"):
        TFLM().open(model("ADD", "int8", 2))


def test_what_it_prints_goes_back_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InvalidModel):
        TFLM().open(model("ADD", "int8", 2))
    assert "failed to prepare" in capfd.readouterr().err


@pytest.mark.parametrize("size", [0, 4, 8, 50, 100, 200])
def test_a_torn_file_is_invalid_and_does_not_kill_the_process(size: int) -> None:
    with pytest.raises(InvalidModel):
        TFLM().open(model("ADD", "float32", 2)[:size])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_wrong_number_of_inputs_is_invalid(count: int) -> None:
    session = TFLM().open(model("ADD", "float32", 2))
    with pytest.raises(InvalidModel, match=f"{count} inputs given, the model has 2"):
        session.run([np.zeros((2, 3), np.float32)] * count)


@pytest.mark.parametrize("array", [np.zeros((3, 2), np.float32), np.zeros((2, 3), np.int8)])
def test_an_input_of_a_wrong_shape_or_dtype_is_invalid(array: np.ndarray) -> None:  # type: ignore[type-arg]
    session = TFLM().open(model("ABS", "float32", 1))
    with pytest.raises(InvalidModel, match="Cannot set tensor"):
        session.run([array])


def test_resource_variables_are_shared_by_name_and_start_anew_with_each_model() -> None:
    tensors = (
        TensorDef("x", "float32", (2,)),
        TensorDef("handle", "resource", ()),
        TensorDef("y", "float32", (2,)),
    )
    nodes = (
        Node("VAR_HANDLE", (), (1,), {"container": "", "shared_name": "v"}),
        Node("READ_VARIABLE", (1,), (2,)),
        Node("ASSIGN_VARIABLE", (1, 0), ()),
    )
    data = write_model([Graph(tensors, nodes, (0,), (2,))])
    for _ in range(2):
        session = TFLM().open(data)
        first = session.run([np.array([3, 4], np.float32)])[0]
        second = session.run([np.array([5, 6], np.float32)])[0]
        assert (first.tolist(), second.tolist()) == ([0, 0], [3, 4])


def test_the_manifest_promises_double_rounding() -> None:
    assert registry.resolve("tflm").manifest.arithmetic == "double_rounding"
