"""Ops that rearrange and fill: shapes that follow from data, and models that must be refused."""

from typing import Any

import numpy as np
import pytest

from opconform.harness.flatmodel import Graph, Node, TensorDef, one_op, write_model
from opconform.harness.model import Quant
from opconform.harness.runtime import InvalidModel, Unsupported
from opconform.runtimes.lite import Lite


def ints(name: str, *values: int, dtype: str = "int32") -> TensorDef:
    data = np.array(values, dtype)
    return TensorDef(name, dtype, data.shape, data)


def one(name: str, value: int | float, dtype: str = "int32") -> TensorDef:
    return TensorDef(name, dtype, (), np.array(value, dtype))


def f32(name: str, *shape: int) -> TensorDef:
    return TensorDef(name, "float32", shape)


X = np.arange(12, dtype=np.float32).reshape(3, 4)


def test_a_shape_that_is_computed_goes_through_the_ops_behind_it() -> None:
    tensors = (f32("x", 3, 4), TensorDef("times", "int32", (2,)), f32("y", 1, 1), TensorDef("s", "int32", (2,)))
    behind = (one("value", 5), TensorDef("z", "int32", (1, 1)))
    nodes = (Node("TILE", (0, 1), (2,)), Node("SHAPE", (2,), (3,), {"out_type": "int32"}), Node("FILL", (3, 4), (5,)))
    session = Lite().open(write_model([Graph((*tensors, *behind), nodes, (0, 1), (2, 5))]))
    for times in ([2, 1], [1, 3], [0, 1], [2, 1]):
        y, z = session.run([X, np.array(times, np.int32)])
        assert np.array_equal(y, np.tile(X, times))
        assert z.tolist() == np.full(y.shape, 5).tolist()


def test_parts_follow_an_axis_that_is_fed() -> None:
    tensors = (TensorDef("axis", "int32", ()), f32("x", 2, 4), f32("a", 1, 1), f32("b", 1, 1))
    session = Lite().open(
        write_model([Graph(tensors, (Node("SPLIT", (0, 1), (2, 3), {"num_splits": 2}),), (0, 1), (2, 3))])
    )
    x = X.reshape(-1)[:8].reshape(2, 4)
    for axis in (0, 1, -2):
        parts = session.run([np.array(axis, np.int32), x])
        assert all(np.array_equal(got, want) for got, want in zip(parts, np.split(x, 2, axis), strict=True))
    with pytest.raises(InvalidModel, match="axis 2 of a tensor of rank 2"):
        session.run([np.array(2, np.int32), x])


def test_a_range_is_as_long_as_its_scalars_say() -> None:
    scalars = [TensorDef(name, "int32", ()) for name in ("start", "limit", "delta")]
    session = Lite().open(one_op("RANGE", scalars, [TensorDef("y", "int32", (1,))]))
    for first, last, step in ((0, 5, 2), (5, 0, -1), (1, 1, 1)):
        got = session.run([np.array(number, np.int32) for number in (first, last, step)])[0]
        assert got.tolist() == list(range(first, last, step))
    with pytest.raises(InvalidModel, match="a step of 0 never ends"):
        session.run([np.array(number, np.int32) for number in (0, 5, 0)])


def test_a_box_and_an_order_may_be_fed() -> None:
    begin, size, order = (TensorDef(name, "int32", (2,)) for name in ("begin", "size", "order"))
    session = Lite().open(one_op("SLICE", [f32("x", 3, 4), begin, size], [f32("y", 1, 1)]))
    assert session.run([X, np.array([1, 0], np.int32), np.array([-1, 2], np.int32)])[0].tolist() == X[1:, :2].tolist()
    with pytest.raises(InvalidModel, match="do not lie inside"):
        session.run([X, np.array([1, 0], np.int32), np.array([3, 2], np.int32)])
    session = Lite().open(one_op("TRANSPOSE", [f32("x", 3, 4), order], [f32("y", 1, 1)]))
    assert np.array_equal(session.run([X, np.array([1, 0], np.int32)])[0], X.T)
    assert np.array_equal(session.run([X, np.array([0, 1], np.int32)])[0], X)


def test_blocks_that_are_padded_and_cropped_use_memory_of_the_arena() -> None:
    block, none = ints("block", 3), TensorDef("pads", "int32", (1, 2), np.zeros((1, 2), np.int32))
    around = TensorDef("pads", "int32", (1, 2), np.array([[1, 1]], np.int32))
    plain = one_op("SPACE_TO_BATCH_ND", [f32("x", 1, 6, 1), block, none], [f32("y", 3, 2, 1)])
    padded = one_op("SPACE_TO_BATCH_ND", [f32("x", 1, 4, 1), block, around], [f32("y", 3, 2, 1)])
    assert Lite().open(padded).meters()["arena"] - Lite().open(plain).meters()["arena"] == 64
    got = Lite().open(padded).run([np.array([1, 2, 3, 4], np.float32).reshape(1, 4, 1)])[0]
    assert got[:, :, 0].tolist() == [[0, 3], [1, 4], [2, 0]]


REFUSED: list[tuple[str, list[TensorDef], list[TensorDef], dict[str, Any], str]] = [
    ("TRANSPOSE", [f32("x", 2, 2), ints("p", 1, 1)], [f32("y", 2, 2)], {}, "names a dimension twice"),
    ("SQUEEZE", [f32("x", 2, 1)], [f32("y", 1)], {"squeeze_dims": (0,)}, "are not all 1"),
    ("PACK", [f32("x", 2)], [f32("y", 2, 2)], {"values_count": 2}, "1 inputs; the options say 2"),
    ("UNPACK", [f32("x", 2, 2)], [f32("y", 2)], {"num": 2}, "1 outputs; 2 are needed"),
    ("SPLIT", [one("axis", 0), f32("x", 3)], [f32("y", 1), f32("z", 1)], {"num_splits": 2}, "make no 2 equal parts"),
    (
        "SPLIT_V",
        [f32("x", 3), ints("s", 2, 2), one("a", 0)],
        [f32("y", 2), f32("z", 2)],
        {"num_splits": 2},
        "do not add",
    ),
    ("SLICE", [f32("x", 3), ints("b", 2), ints("s", 2)], [f32("y", 2)], {}, "do not lie inside"),
    ("TILE", [f32("x", 3), ints("t", -1)], [f32("y", 3)], {}, "none may be negative"),
    ("DEPTH_TO_SPACE", [f32("x", 1, 1, 1, 4)], [f32("y", 1, 2, 2, 1)], {"block_size": 0}, "at least 1"),
    ("SPACE_TO_DEPTH", [f32("x", 1, 3, 2, 1)], [f32("y", 1, 1, 1, 4)], {"block_size": 2}, "do not fill blocks"),
    ("FILL", [ints("d", *[1] * 9), f32("v")], [f32("y")], {}, "at most 8 extents"),
    ("SHAPE", [f32("x", 2)], [TensorDef("y", "int64", (1,))], {"out_type": "int32"}, "output and option differ"),
]


@pytest.mark.parametrize(("op", "inputs", "outputs", "options", "message"), REFUSED, ids=[case[0] for case in REFUSED])
def test_a_model_that_breaks_a_rule_is_refused(
    op: str, inputs: list[TensorDef], outputs: list[TensorDef], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidModel, match=message):
        Lite().open(one_op(op, inputs, outputs, options))


def test_too_many_numbers_and_too_large_results_are_refused_before_memory_is_asked_for() -> None:
    many = one_op("RANGE", [one("a", 0), one("b", 2**31 - 1), one("c", 1)], [TensorDef("y", "int32", (1,))])
    with pytest.raises(InvalidModel, match="2147483647 numbers"):
        Lite().open(many)
    large = one_op("FILL", [ints("d", 2**20, 2**20), f32("v")], [f32("y")])
    with pytest.raises(Unsupported, match="at most"):
        Lite().open(large)


def test_a_zero_point_outside_of_its_dtype_is_refused() -> None:
    broken = Quant((0.5,), (300,))
    tensors = [TensorDef("x", "int8", (2,), quant=broken)]
    with pytest.raises(InvalidModel, match="a zero point of 300"):
        Lite().open(one_op("ZEROS_LIKE", tensors, [TensorDef("y", "int8", (2,), quant=broken)]))
