"""What kernels of micro refuse: models that break an op's rules, and inputs that break them at run time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from opconform.harness.flatmodel import TensorDef, one_op
from opconform.harness.isolate import Executor
from opconform.harness.model import Array, Declined, Produced, Quant, Rejected

Q = Quant((0.5,), (0,))
POOL = {"padding": "VALID", "stride_w": 1, "stride_h": 1, "filter_w": 2, "filter_h": 2}
CONV = {"stride_w": 1, "stride_h": 1}
IMAGE = (1, 3, 3, 2)


def tensor(shape: tuple[int, ...], dtype: str = "float32", quant: Quant | None = None, **more: Any) -> TensorDef:
    return TensorDef("t", dtype, shape, quant=quant, **more)


def constant(values: object, dtype: str = "int32", quant: Quant | None = None) -> TensorDef:
    data = np.array(values, dtype)
    return TensorDef("c", dtype, data.shape, data, quant)


def conv(x: TensorDef, w: TensorDef, y: TensorDef, options: dict[str, Any], bias: int = 1) -> bytes:
    return one_op("CONV_2D", [x, w, constant(np.zeros(bias), "float32")], [y], {**CONV, **options})


FLOAT_W = constant(np.zeros((1, 2, 2, 2)), "float32")
SAME_OUT = tensor((1, 3, 3, 1))

#: why -> model that must be refused when it is opened
MODELS: dict[str, bytes] = {
    "a stride of 0": conv(tensor(IMAGE), FLOAT_W, SAME_OUT, {"stride_w": 0}),
    "a negative dilation": conv(tensor(IMAGE), FLOAT_W, SAME_OUT, {"dilation_h": -1}),
    "a window larger than its input": one_op(
        "AVERAGE_POOL_2D", [tensor((1, 1, 3, 2))], [tensor((1, 0, 2, 2))], {**POOL, "filter_h": 3}
    ),
    "an output of another size": conv(tensor(IMAGE), FLOAT_W, tensor((1, 3, 2, 1)), {}),
    "channels that are no multiple of the filter's": conv(tensor((1, 3, 3, 3)), FLOAT_W, SAME_OUT, {}),
    "a filter for other outputs": conv(tensor(IMAGE), FLOAT_W, tensor((1, 3, 3, 2)), {}, bias=2),
    "a bias of another length": conv(tensor(IMAGE), FLOAT_W, SAME_OUT, {}, bias=2),
    "a filter without channels": conv(tensor(IMAGE), constant(np.zeros((1, 2, 2, 0)), "float32"), SAME_OUT, {}),
    "weights with a zero point": one_op(
        "CONV_2D",
        [tensor(IMAGE, "int8", Q), constant(np.zeros((1, 1, 1, 2)), "int8", Quant((0.1,), (3,))), constant([0])],
        [tensor((1, 3, 3, 1), "int8", Q)],
        CONV,
    ),
    "as many scales as channels, but on another axis": one_op(
        "CONV_2D",
        [
            tensor(IMAGE, "int8", Q),
            constant(np.zeros((2, 1, 1, 2)), "int8", Quant((0.1, 0.2), (0, 0), 3)),
            constant([0, 0]),
        ],
        [tensor((1, 3, 3, 2), "int8", Q)],
        CONV,
    ),
    "a depth multiplier that is no whole number": one_op(
        "DEPTHWISE_CONV_2D",
        [tensor(IMAGE), constant(np.zeros((1, 1, 1, 3)), "float32"), constant(np.zeros(3), "float32")],
        [tensor((1, 3, 3, 3))],
        CONV,
    ),
    "a pool that would have to rescale": one_op(
        "MAX_POOL_2D", [tensor(IMAGE, "int8", Q)], [tensor((1, 2, 2, 2), "int8", Quant((0.25,), (0,)))], POOL
    ),
    "a pool without a window": one_op("MAX_POOL_2D", [tensor(IMAGE)], [tensor((1, 3, 3, 2))], {**POOL, "filter_w": 0}),
    "a softmax of a number": one_op("SOFTMAX", [tensor(())], [tensor(())], {"beta": 1.0}),
    "a softmax with the wrong output scale": one_op(
        "SOFTMAX", [tensor((2,), "int8", Q)], [tensor((2,), "int8", Quant((0.1,), (-128,)))], {"beta": 1.0}
    ),
    "a softmax whose inputs do not matter": one_op(
        "SOFTMAX", [tensor((2,), "int8", Q)], [tensor((2,), "int8", Quant((1 / 256,), (-128,)))]
    ),
    "a logistic with another zero point": one_op(
        "LOGISTIC", [tensor((2,), "int8", Q)], [tensor((2,), "int8", Quant((1 / 256,), (0,)))]
    ),
    "int8 without quantization": one_op("MUL", [tensor((2,), "int8"), tensor((2,), "int8")], [tensor((2,), "int8")]),
    "shapes that do not broadcast": one_op("MUL", [tensor((2,)), tensor((3,))], [tensor((3,))]),
    "operands of two dtypes": one_op("LESS", [tensor((2,)), tensor((2,), "int32")], [tensor((2,), "bool")]),
    "a comparison that is no truth value": one_op("LESS", [tensor((2,)), tensor((2,))], [tensor((2,), "int32")]),
    "a condition that is no truth value": one_op(
        "SELECT_V2", [tensor((2,)), tensor((2,)), tensor((2,))], [tensor((2,))]
    ),
    "an axis beyond the rank": one_op("MEAN", [tensor((2, 3)), constant([2])], [tensor((2,))]),
    "a mean of another shape": one_op("MEAN", [tensor((2, 3)), constant([1])], [tensor((3,))]),
    "negative padding": one_op("PAD", [tensor((4,)), constant([[-1, 0]])], [tensor((3,))]),
    "padding for another rank": one_op("PAD", [tensor((4,)), constant([[1, 0], [0, 0]])], [tensor((5,))]),
    "an axis of a concatenation beyond the rank": one_op("CONCATENATION", [tensor((2,))], [tensor((2,))], {"axis": 1}),
    "sizes that do not add up": one_op("CONCATENATION", [tensor((2,)), tensor((2,))], [tensor((5,))], {"axis": 0}),
    "a concatenation of two quantizations": one_op(
        "CONCATENATION", [tensor((2,), "int8", Q), tensor((2,), "int8", Quant((0.1,), (0,)))], [tensor((4,), "int8", Q)]
    ),
    "a constant position outside": one_op("GATHER", [tensor((3,)), constant([3])], [tensor((1,))]),
    "batch dimensions behind the axis": one_op(
        "GATHER", [tensor((3,)), constant([0])], [tensor((1,))], {"batch_dims": 1}
    ),
    "a slice that stands still": one_op(
        "STRIDED_SLICE", [tensor((3,)), constant([0]), constant([3]), constant([0])], [tensor((3,))]
    ),
    "an index beyond the axis": one_op(
        "STRIDED_SLICE",
        [tensor((3,)), constant([3]), constant([4]), constant([1])],
        [tensor(())],
        {"shrink_axis_mask": 1},
    ),
    "more slices than axes": one_op(
        "STRIDED_SLICE", [tensor((3,)), constant([0, 0]), constant([3, 1]), constant([1, 1])], [tensor((3,))]
    ),
    "the largest of nothing": one_op(
        "ARG_MAX", [tensor((2, 0)), constant([1])], [tensor((2,), "int32")], {"output_type": "int32"}
    ),
    "corners and centres at once": one_op(
        "RESIZE_BILINEAR",
        [tensor((1, 2, 2, 1)), constant([4, 4])],
        [tensor((1, 4, 4, 1))],
        {"align_corners": True, "half_pixel_centers": True},
    ),
    "an image without rows": one_op(
        "RESIZE_BILINEAR", [tensor((1, 2, 2, 1)), constant([0, 4])], [tensor((1, 0, 4, 1))]
    ),
    "a state that is no variable": one_op(
        "SVDF",
        [
            tensor((1, 1)),
            constant([[1]], "float32"),
            constant([[1]], "float32"),
            constant([0], "float32"),
            tensor((1, 1)),
        ],
        [tensor((1, 1))],
        {"rank": 1},
    ),
    "where of a number": one_op("WHERE", [tensor(())], [tensor((1, 0), "int64")]),
    "random integers": one_op("RANDOM_UNIFORM", [constant([3])], [tensor((3,), "int32")]),
}


@pytest.mark.parametrize("why", MODELS)
def test_a_model_is_refused_for(checked: Executor, why: str) -> None:
    outcome = checked.execute(MODELS[why], [])
    assert isinstance(outcome, Rejected | Declined), outcome
    assert len(outcome.why.splitlines()) == 1
    assert outcome.why.startswith("node 0, builtin "), outcome.why


#: why -> model, inputs that it must refuse, inputs that it takes afterwards
INPUTS: dict[str, tuple[bytes, list[Array], list[Array]]] = {
    "a position beyond the axis": (
        one_op("GATHER", [tensor((3,)), tensor((1,), "int32")], [tensor((1,))]),
        [np.zeros(3, np.float32), np.array([3], np.int32)],
        [np.zeros(3, np.float32), np.array([2], np.int32)],
    ),
    "a negative position of 64 bits": (
        one_op("GATHER", [tensor((3,)), tensor((1,), "int64")], [tensor((1,))]),
        [np.zeros(3, np.float32), np.array([-(2**62)], np.int64)],
        [np.zeros(3, np.float32), np.array([0], np.int64)],
    ),
    "a divisor of 0": (
        one_op("DIV", [tensor((2,), "int32"), tensor((2,), "int32")], [tensor((2,), "int32")]),
        [np.array([1, 2], np.int32), np.array([1, 0], np.int32)],
        [np.array([-(2**31), 2], np.int32), np.array([-1, 7], np.int32)],
    ),
    "a root of a negative number": (
        one_op("RSQRT", [tensor((2,), "int8", Q)], [tensor((2,), "int8", Q)]),
        [np.array([4, -1], np.int8)],
        [np.array([4, 0], np.int8)],
    ),
    "an axis that does not fit the output": (
        one_op("MEAN", [tensor((2, 3)), tensor((1,), "int32")], [tensor((2,))]),
        [np.zeros((2, 3), np.float32), np.array([0], np.int32)],
        [np.zeros((2, 3), np.float32), np.array([-1], np.int32)],
    ),
    "paddings that do not fit the output": (
        one_op("PAD", [tensor((2,)), tensor((1, 2), "int64")], [tensor((4,))]),
        [np.zeros(2, np.float32), np.array([[2**62, 2**62]], np.int64)],
        [np.zeros(2, np.float32), np.array([[0, 2]], np.int64)],
    ),
    "a slice of another length": (
        one_op("STRIDED_SLICE", [tensor((4,)), *[tensor((1,), "int32")] * 3], [tensor((2,))]),
        [np.zeros(4, np.float32), *(np.array([v], np.int32) for v in (0, 4, 1))],
        [np.zeros(4, np.float32), *(np.array([v], np.int32) for v in (-1, -(2**31), -2))],
    ),
    "another size than the output's": (
        one_op("RESIZE_BILINEAR", [tensor((1, 2, 2, 1)), tensor((2,), "int32")], [tensor((1, 3, 3, 1))]),
        [np.zeros((1, 2, 2, 1), np.float32), np.array([3, 4], np.int32)],
        [np.zeros((1, 2, 2, 1), np.float32), np.array([3, 3], np.int32)],
    ),
    "more random numbers than were planned for": (
        one_op("RANDOM_UNIFORM", [tensor((1,), "int32")], [tensor((2,))]),
        [np.array([1025], np.int32)],
        [np.array([1024], np.int32)],
    ),
}


@pytest.mark.parametrize("why", INPUTS)
def test_an_input_is_refused_for(checked: Executor, why: str) -> None:
    model, bad, good = INPUTS[why]
    outcome = checked.execute(model, [tuple(bad)])
    assert isinstance(outcome, Rejected | Declined), outcome
    assert isinstance(checked.execute(model, [tuple(good)]), Produced)
