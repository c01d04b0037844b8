"""Reductions and running sums: what the conformance cases do not reach."""

from typing import Any

import numpy as np
import pytest

from opconform.harness.flatmodel import TensorDef, one_op
from opconform.harness.model import Quant
from opconform.harness.runtime import InvalidModel
from opconform.runtimes.lite import Lite


def run(model: bytes, *inputs: Any) -> np.ndarray[Any, Any]:
    return np.asarray(Lite().open(model).run([np.asarray(value) for value in inputs])[0])


@pytest.mark.parametrize("op", ["SUM", "REDUCE_MAX", "REDUCE_PROD"])
def test_axes_that_are_fed_give_another_shape_every_time(op: str) -> None:
    tensors = [TensorDef("x", "int32", (2, 3)), TensorDef("axis", "int32", (1,))]
    session = Lite().open(one_op(op, tensors, [TensorDef("y", "int32", ())]))
    x = np.arange(1, 7, dtype=np.int32).reshape(2, 3)
    folds: dict[str, Any] = {"SUM": np.sum, "REDUCE_MAX": np.max, "REDUCE_PROD": np.prod}
    for axis in (0, 1, -2):
        assert session.run([x, np.array([axis], np.int32)])[0].tolist() == folds[op](x, axis=axis).tolist()
    with pytest.raises(InvalidModel, match="axis 2 of a tensor of rank 2"):
        session.run([x, np.array([2], np.int32)])


def test_an_axis_that_is_fed_moves_running_sums() -> None:
    tensors = [TensorDef("x", "int64", (2, 2)), TensorDef("axis", "int32", ())]
    session = Lite().open(one_op("CUMSUM", tensors, [TensorDef("y", "int64", (2, 2))]))
    x = np.array([[1, 2], [3, 4]])
    assert session.run([x, np.array(0, np.int32)])[0].tolist() == [[1, 2], [4, 6]]
    assert session.run([x, np.array(1, np.int32)])[0].tolist() == [[1, 3], [3, 7]]


def test_extremes_of_no_elements_are_the_ends_of_the_number_line() -> None:
    axis = TensorDef("axis", "int32", (1,), np.array([0], np.int32))
    model = one_op("REDUCE_MAX", [TensorDef("x", "float32", (0, 2)), axis], [TensorDef("y", "float32", (2,))])
    assert run(model, np.zeros((0, 2), np.float32)).tolist() == [-np.inf, -np.inf]


def test_a_stored_running_sum_saturates_instead_of_turning_its_sign() -> None:
    unit, wide = Quant((1.0,), (-128,)), Quant((64.0,), (-128,))
    axis = TensorDef("axis", "int32", (), np.array(0, np.int32))
    model = one_op(
        "CUMSUM", [TensorDef("x", "int8", (40,), quant=unit), axis], [TensorDef("y", "int8", (40,), quant=wide)]
    )
    got = run(model, np.full(40, 127, np.int8))
    # 255 * n / 64 quanta, until 4096 input steps fill the 32 bits of the sum
    assert got[:4].tolist() == [4 - 128, 8 - 128, 12 - 128, 16 - 128]
    assert (np.diff(got.astype(int)) >= 0).all()
    assert got[-1] == 64 - 128


@pytest.mark.parametrize("scale", [0.0, float("inf"), -1.0])
def test_a_scale_that_is_none_is_refused(scale: float) -> None:
    axis = TensorDef("axis", "int32", (1,), np.array([0], np.int32))
    inputs = [TensorDef("x", "int8", (2,), quant=Quant((1.0,), (0,))), axis]
    for op in ("SUM", "REDUCE_PROD"):
        with pytest.raises(InvalidModel, match="a scale of"):
            Lite().open(one_op(op, inputs, [TensorDef("y", "int8", (), quant=Quant((scale,), (0,)))]))
